import { compactVerify, decodeProtectedHeader, errors } from 'jose';
import type { Issuer } from '../../../shared/identity/subjects.ts';
import type { Database } from '../../../shared/ports/database.ts';
import { Refusal } from '../../../shared/errors.ts';
import { ALLOWED_ALGORITHMS } from '../../../shared/keys/algorithms.ts';
import type { KeySource } from '../../../shared/keys/key-source.ts';
import type { Log } from '../../../shared/ports/log.ts';
import type { Random } from '../../../shared/ports/runtime.ts';
import { INCREDIBLE, insertEvent } from '../inbox/table.ts';
import { IGNORED, malformed, parseEvent, parseScript, type ScriptEvent } from './parse.ts';
import { unsigned } from '../../../shared/edge/zitadel-signature.ts';
import { verify, type Sent, type VerifiedBody, type VerifyDeps } from './verify.ts';

export interface ReceiveDeps extends VerifyDeps {
  readonly database: Database | null;
  /** Zitadel as a trusted issuer, and its keys; null when it is none. */
  readonly zitadel: { readonly issuer: Issuer; readonly keys: Pick<KeySource, 'find'> } | null;
  readonly random: Pick<Random, 'uuid'>;
  readonly log: Log;
  readonly count: (outcome: Received['status'] | 'refused') => void;
  /** Starts applying in the background. */
  readonly nudge: () => void;
}

export type Received =
  | { readonly status: 'accepted' | 'set_aside' | 'duplicate'; readonly id: string }
  | { readonly status: 'ignored' };

/** `event`: a delivery of Actions v2; otherwise the body of a script. */
export type Delivery = 'event' | ScriptEvent;

/**
 * Verifies, decodes, stores once. Throws Refusal; a throw before the store leaves no row. Malformed and ignored events are
 * answered the same without a database.
 */
export async function receive(sent: Sent, delivery: Delivery, deps: ReceiveDeps): Promise<Received> {
  const accepts = delivery === 'event' ? 'signature' : 'signature or shared secret';
  const body = await verify(sent, accepts, deps);
  const { database, zitadel, clock, random } = deps;
  if (zitadel === null) throw new Refusal('not_configured', 'ZITADEL_ISSUER_URL is not set');
  const json = await decodeBody(body, zitadel.keys);
  const event =
    delivery === 'event' ? parseEvent(json, zitadel.issuer) : parseScript(delivery, json, zitadel.issuer);
  if (event === IGNORED) return { status: 'ignored' };
  if (database === null) throw new Refusal('not_configured', 'DATABASE_URL is not set');
  const { id, fresh, status } = await insertEvent(event, { database, clock, random });
  if (!fresh) return { status: 'duplicate', id };
  if (status !== 'dead') return { status: 'accepted', id };
  deps.log.error('webhook event set aside', { event: id, type: event.type, reason: INCREDIBLE });
  return { status: 'set_aside', id };
}

/** All senders of deliveries share one address in the bound on missing keys. */
const SENDER = 'webhooks';

const COMPACT_JWS = /^[\w-]+\.[\w-]+\.[\w-]+\s*$/;

/**
 * The JSON of a verified body. With PAYLOAD_TYPE_JWT the body is a compact JWS (RFC 7515) by the instance's web key.
 * Throws Refusal `invalid_request` or `invalid_signature`, and ProviderUnavailable while no key is held.
 */
async function decodeBody(body: VerifiedBody, keys: Pick<KeySource, 'find'>): Promise<unknown> {
  const text = decodeText(body);
  return parseJson(COMPACT_JWS.test(text) ? await verifyJws(text.trimEnd(), keys) : text);
}

async function verifyJws(token: string, keys: Pick<KeySource, 'find'>): Promise<string> {
  const { alg, kid } = headerOf(token);
  if (alg === undefined || !ALLOWED_ALGORITHMS.includes(alg)) throw unsigned('algorithm not allowed');
  const candidates = await keys.find({ kid, alg, address: SENDER });
  if (candidates.length === 0) throw unsigned('no such key at the issuer');
  for (const { key } of candidates) {
    try {
      const { payload } = await compactVerify(token, key, { algorithms: [alg] });
      return decodeText(payload);
    } catch (cause) {
      if (!(cause instanceof errors.JOSEError)) throw cause;
    }
  }
  throw unsigned('the JWS does not verify');
}

function headerOf(token: string): { alg: string | undefined; kid: string | undefined } {
  try {
    const { alg, kid } = decodeProtectedHeader(token);
    return { alg, kid };
  } catch (cause) {
    throw malformed('not a readable JWS', cause);
  }
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw malformed('not UTF-8');
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which may hold a secret.
    throw malformed('not JSON');
  }
}

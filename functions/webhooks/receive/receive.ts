import type { Issuer } from '../../../shared/identity/subjects.ts';
import type { Database } from '../../../shared/ports/database.ts';
import { Refusal } from '../../../shared/errors.ts';
import type { KeySource } from '../../../shared/keys/key-source.ts';
import type { Log } from '../../../shared/ports/log.ts';
import type { Random } from '../../../shared/ports/runtime.ts';
import { decodeBody } from './decode.ts';
import { INCREDIBLE, insertEvent } from '../inbox/insert.ts';
import { IGNORED, parseEvent, parseScript, type ScriptEvent } from './parse.ts';
import { verify, type Sent, type VerifyDeps } from './verify.ts';

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

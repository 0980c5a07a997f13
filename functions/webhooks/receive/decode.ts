import { compactVerify, decodeProtectedHeader, errors } from 'jose';
import { ALLOWED_ALGORITHMS } from '../../../shared/keys/algorithms.ts';
import type { KeySource } from '../../../shared/keys/key-source.ts';
import { malformed } from './parse.ts';
import { unsigned, type VerifiedBody } from './verify.ts';

/** All senders of deliveries share one address in the bound on missing keys. */
const SENDER = 'webhooks';

const COMPACT_JWS = /^[\w-]+\.[\w-]+\.[\w-]+\s*$/;

/**
 * The JSON of a verified body. With PAYLOAD_TYPE_JWT the body is a compact JWS (RFC 7515) by the instance's web key.
 * Throws Refusal `invalid_request` or `invalid_signature`, and ProviderUnavailable while no key is held.
 */
export async function decodeBody(body: VerifiedBody, keys: Pick<KeySource, 'find'>): Promise<unknown> {
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

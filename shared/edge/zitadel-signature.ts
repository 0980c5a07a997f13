import { createHmac, timingSafeEqual } from 'node:crypto';
import { Refusal } from '../errors.ts';
import type { Clock } from '../ports/runtime.ts';

/** Seconds between `t` and our clock, either way: older may be a replay, newer was not signed now. */
const TOLERANCE_S = 300;

/**
 * The body of what a target of Zitadel's Actions v2 was sent, which is read only if a key could fit. Throws Refusal `invalid_signature`,
 * and as `body`.
 */
export async function zitadelSigned(
  header: string,
  body: () => Promise<Uint8Array>,
  keys: readonly string[],
  clock: Clock,
): Promise<Uint8Array> {
  if (keys.length === 0) throw unsigned('WEBHOOK_SIGNING_KEYS is not set');
  const signature = parseSignature(header);
  if (signature === undefined) throw unsigned('malformed ZITADEL-Signature');
  checkTime(signature, clock);
  const bytes = await body();
  if (!isSignedBy(keys, signature, bytes)) throw unsigned('no key fits the signature');
  return bytes;
}

function checkTime({ time }: Signature, clock: Clock): void {
  const ageSeconds = Math.floor(clock.now() / 1000) - Number(time);
  if (ageSeconds > TOLERANCE_S) throw unsigned('the signature is too old');
  if (ageSeconds < -TOLERANCE_S) throw unsigned('the signature is of the future');
}

export function unsigned(reason: string): Refusal {
  return new Refusal('invalid_signature', reason);
}

/** `ZITADEL-Signature: t=<unix seconds>,v1=<hex>[,v1=<hex>…]` */
interface Signature {
  /** Verbatim: it is part of the signed text. */
  readonly time: string;
  readonly candidates: readonly Buffer[];
}

/** Zitadel sends one value, two during a rotation; more would only cost CPU. */
const MOST_VALUES = 8;
const HMAC = /^[0-9a-f]{64}$/i;

/** Undefined for a malformed header. Fields other than t and v1 are ignored, for later versions. */
function parseSignature(header: string): Signature | undefined {
  const fields = header.split(',').map((field) => field.trim());
  const times = valuesOf(fields, 't=');
  const values = valuesOf(fields, 'v1=');
  const [time] = times;
  if (time === undefined || times.length > 1 || !/^\d{1,12}$/.test(time)) return undefined;
  if (values.length > MOST_VALUES) return undefined;
  const candidates = values.filter((value) => HMAC.test(value)).map((hex) => Buffer.from(hex, 'hex'));
  // A signature that no body can match is refused before the body is read.
  return candidates.length === 0 ? undefined : { time, candidates };
}

function valuesOf(fields: readonly string[], prefix: string): string[] {
  return fields.filter((field) => field.startsWith(prefix)).map((field) => field.slice(prefix.length));
}

/** HMAC-SHA256 over `<t>.<raw body>`, keyed with the bytes of the key's text. Constant time over keys and values. */
function isSignedBy(keys: readonly string[], { time, candidates }: Signature, body: Uint8Array): boolean {
  let fits = false;
  for (const key of keys) {
    const wanted = createHmac('sha256', key).update(`${time}.`).update(body).digest();
    for (const candidate of candidates) fits = timingSafeEqual(wanted, candidate) || fits;
  }
  return fits;
}

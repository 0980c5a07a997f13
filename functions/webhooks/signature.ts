import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** `ZITADEL-Signature: t=<unix seconds>,v1=<hex>[,v1=<hex>…]` */
export interface Signature {
  /** As it was sent: it is part of what is signed. */
  readonly time: string;
  readonly candidates: readonly Buffer[];
}

/** Zitadel sends one value, two while it rotates; more would only make us compute. */
const MOST_VALUES = 8;
const HMAC = /^[0-9a-f]{64}$/i;

/** Undefined for a header that is not of this form. Fields other than t and v1 are left to later versions. */
export function parseSignature(header: string): Signature | undefined {
  const fields = header.split(',').map((field) => field.trim());
  const times = valuesOf(fields, 't=');
  const values = valuesOf(fields, 'v1=');
  const [time] = times;
  if (time === undefined || times.length > 1 || !/^\d{1,12}$/.test(time)) return undefined;
  if (values.length > MOST_VALUES) return undefined;
  const candidates = values.filter((value) => HMAC.test(value)).map((hex) => Buffer.from(hex, 'hex'));
  // What no body could fit is refused before a body is read.
  return candidates.length === 0 ? undefined : { time, candidates };
}

function valuesOf(fields: readonly string[], prefix: string): string[] {
  return fields.filter((field) => field.startsWith(prefix)).map((field) => field.slice(prefix.length));
}

/** HMAC-SHA256 over `<t>.<raw body>` with the bytes of the key's text. Takes the same time whichever key and value fit. */
export function isSignedBy(
  keys: readonly string[],
  { time, candidates }: Signature,
  body: Uint8Array,
): boolean {
  let fits = false;
  for (const key of keys) {
    const wanted = createHmac('sha256', key).update(`${time}.`).update(body).digest();
    for (const candidate of candidates) fits = timingSafeEqual(wanted, candidate) || fits;
  }
  return fits;
}

/** Digests are of one length, so that time tells nothing about the secret. */
export function sameSecret(given: string, wanted: string): boolean {
  return timingSafeEqual(digest(given), digest(wanted));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

import { createHash, timingSafeEqual } from 'node:crypto';
import { Refusal } from '../errors.ts';

/** Constant time: digests have one length, so that timing does not depend on the secret. */
export function sameSecret(given: string, wanted: string): boolean {
  return timingSafeEqual(digest(given), digest(wanted));
}

/** Whether an Authorization field is `Bearer <secret>`; RFC 9110 §11.1: schemes are case-insensitive. */
export function bearsSecret(authorization: string, secret: string): boolean {
  return sameSecret(authorization.replace(/^bearer +/i, 'Bearer '), `Bearer ${secret}`);
}

/** `secret`: the value of `variable`; null where it is not set. Throws Refusal `missing_token` and `invalid_token`. */
export function requireSecret(
  { headers }: Pick<Request, 'headers'>,
  secret: string | null,
  variable: string,
): void {
  const authorization = headers.get('authorization');
  if (authorization === null) throw new Refusal('missing_token', 'no secret');
  if (secret !== null && bearsSecret(authorization, secret)) return;
  throw new Refusal('invalid_token', secret === null ? `${variable} is not set` : 'another secret');
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

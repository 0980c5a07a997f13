import { createHash, timingSafeEqual } from 'node:crypto';

/** Constant time: digests have one length, so that timing does not depend on the secret. */
export function sameSecret(given: string, wanted: string): boolean {
  return timingSafeEqual(digest(given), digest(wanted));
}

/** Whether an Authorization field is `Bearer <secret>`; RFC 9110 §11.1: schemes are case-insensitive. */
export function bearsSecret(authorization: string, secret: string): boolean {
  return sameSecret(authorization.replace(/^bearer +/i, 'Bearer '), `Bearer ${secret}`);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

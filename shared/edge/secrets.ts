import { createHash, timingSafeEqual } from 'node:crypto';

/** Digests are of one length, so that time tells nothing about the secret. */
export function sameSecret(given: string, wanted: string): boolean {
  return timingSafeEqual(digest(given), digest(wanted));
}

/** Whether an Authorization field is `Bearer <secret>`; RFC 9110 §11.1: the name of a scheme has no case. */
export function bearsSecret(authorization: string, secret: string): boolean {
  return sameSecret(authorization.replace(/^bearer +/i, 'Bearer '), `Bearer ${secret}`);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

import { createHmac } from 'node:crypto';

/** The value of ZITADEL-Signature, made by hand from its definition. `t`: unix seconds, now unless told. */
export function signature(key: string, body: string | Uint8Array, t = Math.floor(Date.now() / 1000)): string {
  return `t=${t},v1=${hmac(key, body, t)}`;
}

export function hmac(key: string, body: string | Uint8Array, t: number): string {
  return createHmac('sha256', key).update(`${t}.`).update(body).digest('hex');
}

import { invalidToken, malformedHeader, tokenTooLong } from './refusals.ts';

/** No access token in the wild comes near; parsing costs grow with length. */
export const MAX_TOKEN_LENGTH = 8 * 1024;

const SCHEME = /^bearer +/i;
/** RFC 6750 §2.1 b64token. */
const TOKEN68 = /^[A-Za-z0-9\-._~+/]+=*$/;
/** Two credentials in one field, or bytes no client sends by accident. */
const MALFORMED = /[,\u0000-\u001f\u007f]/;

/** What stands behind `Bearer `, not yet looked at (see `checkToken`): a remembered token needs no second look. */
export function bearerToken(authorization: string): string {
  // The way nearly all clients write it, without a regular expression.
  const start = authorization.startsWith('Bearer ey') ? 7 : tokenStart(authorization);
  const token = authorization.slice(start);
  checkLength(token);
  return token;
}

/** Throws Refusal `invalid_token`. */
export function checkLength(token: string): void {
  if (token.length > MAX_TOKEN_LENGTH) throw tokenTooLong(token.length, MAX_TOKEN_LENGTH);
}

function tokenStart(authorization: string): number {
  const scheme = SCHEME.exec(authorization);
  if (scheme !== null) return scheme[0].length;
  if (MALFORMED.test(authorization)) throw malformedHeader();
  throw invalidToken('not a Bearer token');
}

/** Throws Refusal `invalid_request` for what cannot be one token, `invalid_token` for what is no b64token. */
export function checkToken(token: string): void {
  if (TOKEN68.test(token)) return;
  if (MALFORMED.test(token)) throw malformedHeader();
  throw invalidToken('not a b64token');
}

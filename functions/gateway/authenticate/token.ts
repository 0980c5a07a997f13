import { decodeProtectedHeader } from 'jose';
import { Refusal } from '../../../shared/errors.ts';

/** Far above real access tokens; parsing costs grow with length. */
const MAX_TOKEN_LENGTH = 8 * 1024;

const SCHEME = /^bearer +/i;
/** RFC 6750 §2.1 b64token. */
const TOKEN68 = /^[A-Za-z0-9\-._~+/]+=*$/;
/** Two credentials in one field, or bytes no client sends by accident. */
const MALFORMED = /[,\u0000-\u001f\u007f]/;

/** Returns the text behind `Bearer `, unchecked (see `checkToken`): a cached token needs no second check. */
export function bearerToken(authorization: string): string {
  // The usual form, without a regular expression.
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

/** Three parts with a JSON object in front: a signed token. Anything else is opaque (RFC 7662). */
export function isJws(token: string): boolean {
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  if (first < 0 || second < 0 || token.includes('.', second + 1)) return false;
  try {
    decodeProtectedHeader(token);
    return true;
  } catch {
    return false;
  }
}

/** RFC 6750 §3: the challenge discloses no more; the exact reason is only logged. */
const CHALLENGE = 'Bearer realm="sallyport"';
const EXPIRED = 'The token has expired';
const NOT_ACCEPTED = 'The token is not accepted';

const MISSING_HEADERS = { 'WWW-Authenticate': CHALLENGE };
const EXPIRED_HEADERS = challenge(EXPIRED);
const NOT_ACCEPTED_HEADERS = challenge(NOT_ACCEPTED);

function challenge(description: string): Readonly<Record<string, string>> {
  return { 'WWW-Authenticate': `${CHALLENGE}, error="invalid_token", error_description="${description}"` };
}

export function missingToken(reason = 'no Authorization header'): Refusal {
  return new Refusal('missing_token', reason, { headers: MISSING_HEADERS });
}

/** `reason` is for the log and must not quote the token. */
export function invalidToken(reason: string, cause?: unknown): Refusal {
  return new Refusal('invalid_token', reason, { detail: NOT_ACCEPTED, headers: NOT_ACCEPTED_HEADERS, cause });
}

/** For a session that cannot be renewed. */
export function invalidRefresh(reason: string): Refusal {
  return new Refusal('invalid_refresh', reason, { headers: NOT_ACCEPTED_HEADERS });
}

export function expiredToken(): Refusal {
  return new Refusal('invalid_token', 'expired', { detail: EXPIRED, headers: EXPIRED_HEADERS });
}

export function isExpired(error: unknown): boolean {
  return error instanceof Refusal && error.code === 'invalid_token' && error.reason === 'expired';
}

/** Names the limit: another token with the same claims would be refused as well. */
function tokenTooLong(bytes: number, limit: number): Refusal {
  const detail = `The token has ${bytes} bytes; at most ${limit} are taken.`;
  return new Refusal('invalid_token', `token too long: ${bytes} bytes, over ${limit}`, {
    detail,
    headers: challenge(`The token is over ${limit} bytes`),
  });
}

function malformedHeader(): Refusal {
  return malformedRequest('malformed Authorization header');
}

export function malformedRequest(reason: string): Refusal {
  return new Refusal('invalid_request', reason, { detail: reason });
}

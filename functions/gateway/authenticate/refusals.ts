import { Refusal } from '../../../shared/errors.ts';

/** RFC 6750 §3: the challenge says no more than this; the exact reason stays in the log. */
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

export function expiredToken(): Refusal {
  return new Refusal('invalid_token', 'expired', { detail: EXPIRED, headers: EXPIRED_HEADERS });
}

/** Not `invalid_token`: that would have the client fetch another one of the same size. */
export function tokenTooLarge(bytes: number, limit: number): Refusal {
  const detail = `The bearer token has ${bytes} bytes; at most ${limit} are taken.`;
  return new Refusal('headers_too_large', detail, { detail });
}

export function malformedHeader(): Refusal {
  return malformedRequest('malformed Authorization header');
}

export function malformedRequest(reason: string): Refusal {
  return new Refusal('invalid_request', reason, { detail: reason });
}

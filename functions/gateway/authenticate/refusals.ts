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

/** Says the limit: another token with the same claims would be refused as well. */
export function tokenTooLong(bytes: number, limit: number): Refusal {
  const detail = `The token has ${bytes} bytes; at most ${limit} are taken.`;
  return new Refusal('invalid_token', `token too long: ${bytes} bytes, over ${limit}`, {
    detail,
    headers: challenge(`The token is over ${limit} bytes`),
  });
}

export function malformedHeader(): Refusal {
  return malformedRequest('malformed Authorization header');
}

export function malformedRequest(reason: string): Refusal {
  return new Refusal('invalid_request', reason, { detail: reason });
}

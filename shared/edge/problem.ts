import { DatabaseError } from '../database/errors.ts';
import { CODES } from '../codes.ts';
import { nameAndMessageOf, Refusal, Unavailable } from '../errors.ts';

/** RFC 9457. */
export interface Problem {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Values of Set-Cookie; absent: none. */
  readonly cookies?: readonly string[];
  readonly body: string;
}

/** What callers may see of a refusal. */
export interface Shown {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly code: string;
}

export function shownOf({ status, code, detail }: Refusal): Shown {
  return { status, title: CODES[code].title, detail: detail ?? CODES[code].detail, code };
}

/** docs/failure-modes.md has a section per code. */
const TYPE = 'urn:sallyport:problem';

/** RFC 9110 §15.5.2: every 401 names a scheme. */
const CHALLENGE = { 'www-authenticate': 'Bearer realm="sallyport"' };

function hasChallenge({ headers }: Refusal): boolean {
  return Object.keys(headers).some((name) => name.toLowerCase() === 'www-authenticate');
}

/** Fields of a refusal in whatever form it is answered: a challenge, when to try again, a quota. */
export function refusalFields(refusal: Refusal): Readonly<Record<string, string>> {
  return { ...(refusal.status === 401 && !hasChallenge(refusal) && CHALLENGE), ...refusal.headers };
}

/** The only mapping of a refusal to an answer: exact reasons are not disclosed, and codes are few. */
export function toProblem(refusal: Refusal, requestId: string): Problem {
  const { status, title, detail, code } = shownOf(refusal);
  return {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'x-request-id': requestId,
      ...refusalFields(refusal),
    },
    body: JSON.stringify({
      type: `${TYPE}:${code}`,
      title,
      status,
      detail,
      code,
      request_id: requestId,
    }),
  };
}

/** Maps any thrown value to a Refusal; an unexpected one is an internal_error without details. */
export function toRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const cause = { cause: error };
  if (error instanceof Unavailable || error instanceof DatabaseError)
    return new Refusal(error.problem, error.message, cause);
  return new Refusal('internal_error', nameAndMessageOf(error), cause);
}

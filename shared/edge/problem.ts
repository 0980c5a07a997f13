import { DatabaseError } from '../database/errors.ts';
import { CODES, Refusal, Unavailable } from '../errors.ts';

/** RFC 9457. */
export interface Problem {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** docs/failure-modes.md has a section per code. */
const TYPE = 'urn:sallyport:problem';

/** The one way from a domain error to an answer: exact reasons stay inside, few codes go out. */
export function toProblem(refusal: Refusal, requestId: string): Problem {
  const { status, title, detail } = CODES[refusal.code];
  return {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'x-request-id': requestId,
      ...refusal.headers,
    },
    body: JSON.stringify({
      type: `${TYPE}:${refusal.code}`,
      title,
      status,
      detail: refusal.detail ?? detail,
      code: refusal.code,
      request_id: requestId,
    }),
  };
}

/** Any thrown value as a Refusal; what nobody foresaw is an internal_error without details. */
export function toRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const cause = { cause: error };
  if (error instanceof Unavailable || error instanceof DatabaseError)
    return new Refusal(error.problem, error.message, cause);
  return new Refusal(
    'internal_error',
    error instanceof Error ? `${error.name}: ${error.message}` : 'unknown',
    cause,
  );
}

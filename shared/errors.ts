import { CODES, type Code } from './codes.ts';

export interface RefusalOptions {
  /** Sent to the caller; must disclose nothing internal. */
  readonly detail?: string;
  /** Where a code has another status than usual. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/**
 * Ends a request. `code` and `detail` are sent; `reason` (exact) and `cause` are only logged.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: Code;
  readonly reason: string;
  readonly detail: string | undefined;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: Code, reason: string, options: RefusalOptions = {}) {
    super(`${code}: ${reason}`, { cause: options.cause });
    this.code = code;
    this.reason = reason;
    this.detail = options.detail;
    this.status = options.status ?? CODES[code].status;
    this.headers = options.headers ?? {};
  }
}

/** `declared`: Content-Length; undefined for a body that exceeded the limit while streaming. */
export function bodyTooLarge(limit: number, declared?: number): Refusal {
  const size = declared === undefined ? `more than ${limit}` : String(declared);
  const detail = `The body has ${size} bytes; at most ${limit} are taken.`;
  const how = declared === undefined ? 'streamed' : `declared with ${declared},`;
  return new Refusal('body_too_large', `${how} over MAX_BODY_BYTES`, { detail });
}

/** A service is unreachable, too slow, or answers with an error of its own: a retry may help. */
export abstract class Unavailable extends Error {
  /** Its code in the answer to a caller. */
  abstract readonly problem: Code;
}

/** The counter store did not answer in time, or answered with an error. */
export class CountersUnavailable extends Unavailable {
  override readonly name = 'CountersUnavailable';
  readonly problem = 'limiter_unavailable';
}

/** The authorization server gave no verdict: unreachable, slow, or the query was rejected. */
export class RelationsUnavailable extends Unavailable {
  override readonly name: string = 'RelationsUnavailable';
  readonly problem: Code = 'authorization_unavailable';
}

/** The authorization server rejected the query or the credentials; a retry does not help. */
export class RelationsRefused extends RelationsUnavailable {
  override readonly name: string = 'RelationsRefused';
  override readonly problem = 'authorization_misconfigured';
}

/** The input was rejected, not the configuration: a tuple that the model or the store does not admit. */
export class InputRefused extends RelationsRefused {
  override readonly name = 'InputRefused';
}

/** An identity provider gave no usable key or introspection answer. */
export class ProviderUnavailable extends Unavailable {
  override readonly name = 'ProviderUnavailable';
  readonly problem = 'identity_provider_unavailable';
}

/** For logs and reports: the message of a thrown value that may be anything. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown';
}

/** As messageOf, with the kind of error before it. */
export function nameAndMessageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : 'unknown';
}

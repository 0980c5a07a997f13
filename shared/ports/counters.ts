import type { MaybePromise } from './runtime.ts';
import type { Mark } from './revocations.ts';

/** `limit` requests in `windowMs`; `name` appears in RateLimit-Policy. */
export interface RatePolicy {
  readonly name: string;
  readonly limit: number;
  readonly windowMs: number;
}

export interface TakeRequest {
  /** The limited caller: `<issuer>|<subject>` or an address. */
  readonly caller: string;
  readonly policy: RatePolicy;
  /** `<issuer>|org:<id>`: the organisation that the caller's token names, which may be marked as well. */
  readonly organization?: string | undefined;
  /** `<caller>|sid:<id>` (`sessionOf`): the session that the caller's token belongs to, which may be marked as well. */
  readonly session?: string | undefined;
}

/** The result of one atomic take. */
export interface Taken {
  readonly allowed: boolean;
  /** Whole requests still admitted at once after this one. */
  readonly remaining: number;
  /** Milliseconds until the full quota is available again, without further requests. */
  readonly resetMs: number;
  /** Milliseconds until one more is admitted; 0 when allowed. */
  readonly retryAfterMs: number;
  /** Of a caller that is, or was, suspended or removed; read in the same round trip. */
  readonly mark: Mark | undefined;
  /** Of a removed organisation. */
  readonly organizationMark?: Mark | undefined;
  /** Of an ended session. */
  readonly sessionMark?: Mark | undefined;
}

/** Shared request counters. Throws `CountersUnavailable` when the store is away. */
export interface Counters {
  take(request: TakeRequest): MaybePromise<Taken>;
  /** Resolves when the store would count a request now. */
  ping(): MaybePromise<void>;
}

/** Single commands to a counter store. Throws `CountersUnavailable`. */
export interface StoreCommands {
  send(command: readonly string[]): Promise<unknown>;
  close(): void;
}

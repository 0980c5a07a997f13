/**
 * What the functions need of the world outside, as the smallest interfaces they can use.
 * Adapters (shared/adapters/) implement them; tests own them.
 */

/** A value now, or later: in-process adapters answer at once, so that a cached request awaits nothing real. */
export type MaybePromise<T> = T | Promise<T>;

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

export interface Random {
  /** `length` bytes from a cryptographic source, as lower-case hex. */
  hex(length: number): string;
  uuid(): string;
}

/** SHA-256 of a text, in a form that serves as a key; at once where the runtime can. */
export type Digest = (text: string) => MaybePromise<string>;

/** Outgoing HTTP. Never follows redirects unless the caller says so. */
export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** Work that outlives its request: `waitUntil` on Workers, a plain caught promise on Node. */
export type Background = (work: Promise<unknown>) => void;

/** `limit` requests in `windowMs`; `name` appears in RateLimit-Policy. */
export interface RatePolicy {
  readonly name: string;
  readonly limit: number;
  readonly windowMs: number;
}

export interface TakeRequest {
  /** Who is limited: `<issuer>|<subject>` or an address. */
  readonly caller: string;
  readonly policy: RatePolicy;
  /** `<issuer>|org:<id>`: the organisation that the caller's token names, which may be marked as well. */
  readonly organization?: string | undefined;
}

/** The answer of one atomic take. */
export interface Taken {
  readonly allowed: boolean;
  /** Whole requests still admitted at once after this one. */
  readonly remaining: number;
  /** Milliseconds until the full quota is there again, if nothing else is asked for. */
  readonly resetMs: number;
  /** Milliseconds until one more is admitted; 0 when allowed. */
  readonly retryAfterMs: number;
  /** Of a caller who is, or was, suspended or removed: read in the same round trip, so that it costs none. */
  readonly mark: Mark | undefined;
  /** Of the organisation, which was removed. */
  readonly organizationMark?: Mark | undefined;
}

/** Which tokens of a caller were withdrawn. */
export interface Mark {
  /** Of two marks of one caller that of the higher version counts, in whatever order they are told. */
  readonly version: number;
  /** Tokens issued at this time or before do not count, in milliseconds since the epoch; Infinity: none counts. */
  readonly notBefore: number;
}

/** Shared request counters. A store that is away throws `CountersUnavailable`. */
export interface Counters {
  take(request: TakeRequest): MaybePromise<Taken>;
  /** Resolves when the store would count a request now. */
  ping(): MaybePromise<void>;
}

/** Callers whose tokens stop counting at once, on every instance that shares the store. */
export interface Revocations {
  /** Does nothing where a higher version is known. `seconds`: how long the mark must outlive the tokens already issued. */
  mark(caller: string, mark: Mark, seconds: number): Promise<void>;
}

export interface RelationQuery {
  /** `user:<id>` */
  readonly user: string;
  readonly relation: string;
  /** `type:id` */
  readonly object: string;
  /** Values for conditions of the model. */
  readonly context?: Readonly<Record<string, unknown>>;
  /** `fresh` skips the server's caches: for the check right after a change. */
  readonly consistency?: 'fast' | 'fresh';
}

/** Relationship checks. A server that is away or slow throws `RelationsUnavailable`, one that refuses the question `RelationsRefused`; it never answers false. */
export interface Relations {
  check(query: RelationQuery): MaybePromise<boolean>;
  ping(): Promise<void>;
}

/** One line of the request log. Values are identifiers and durations, never tokens, bodies or query strings. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined | object>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** What one request through the gateway came to. */
export interface RequestMeasure {
  /** Answered by the bundle itself, without access rules: probes and scrapes are no part of how long requests take. */
  readonly own: boolean;
  /** Path pattern of the rule, or of the own route; `` when none matched. */
  readonly rule: string;
  readonly target: string;
  readonly status: number;
  /** `ok`, or the code of the refusal. */
  readonly code: string;
  readonly totalMs: number;
  readonly upstreamMs: number;
}

export interface Metrics {
  request(measure: RequestMeasure): void;
  /** Sampled when the text is asked for: `values` maps a label's value to a number, and must not reject. */
  gauge(
    name: string,
    help: string,
    label: string,
    values: () => MaybePromise<ReadonlyMap<string, number>>,
  ): void;
  /** Answers what counts one more: under a label's value, or in all. */
  counter(name: string, help: string, label: string): (value: string) => void;
  counter(name: string, help: string): () => void;
  /** Prometheus text exposition format. */
  render(): Promise<{ readonly contentType: string; readonly body: string }>;
}

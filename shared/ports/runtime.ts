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

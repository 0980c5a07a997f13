/** A value, or its promise: in-process adapters return synchronously, so that a cached request awaits no I/O. */
export type MaybePromise<T> = T | Promise<T>;

/** What `next` makes of a value: at once where the value is there, without a promise. */
export function when<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** The result of `work`, or of `late` when it has not come within `ms` milliseconds; a result that comes later is dropped. */
export async function inTime<T>(ms: number, work: MaybePromise<T>, late: () => T): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    return await Promise.race([work, over.then(late)]);
  } finally {
    clearTimeout(timer);
  }
}

/** Milliseconds; ends early when `signal` is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
    if (signal?.aborted === true) end();
  });
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

export interface Random {
  /** `length` bytes from a cryptographic source, as lower-case hex. */
  hex(length: number): string;
  uuid(): string;
}

/** Outgoing HTTP. Never follows redirects unless the caller opts in. */
export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** A request to a service. */
export interface Call {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Milliseconds for the whole exchange. */
  readonly timeoutMs: number;
}

/** Its answer, read to the end; field names in lower case. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/**
 * One exchange with a service, by what is lightest in the runtime. Follows no redirects; rejects when nothing came in time
 * (`TimeoutError`), nothing came at all, or the answer is larger than any that is waited for.
 */
export type Exchange = (call: Call) => Promise<Reply>;

/** Work that outlives its request: `waitUntil` on Workers, a plain caught promise on Node. */
export type Background = (work: Promise<unknown>) => void;

/** Processes of the operating system, by marks that are unique over machines and their restarts. */
export interface Processes {
  /** The mark of this process; null where the system offers none. */
  readonly own: string | null;
  /** True only for a process that ran on this machine and has ended; false when in doubt. */
  isDead(mark: string): boolean;
}

/** Groups of processes that a command has started, by the marks of `Processes`. */
export interface ProcessGroups {
  /** The mark of a process that runs here; null where the system offers none. */
  mark(pid: number): string | null;
  /** Kills the group that this process leads, if it still runs here. */
  endGroup(mark: string): void;
}

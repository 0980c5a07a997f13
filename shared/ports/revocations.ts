/** Which tokens of a caller are withdrawn. */
export interface Mark {
  /** Of two marks of one caller the higher version wins, whatever the order of arrival. */
  readonly version: number;
  /** Tokens issued at this time or before are withdrawn, in milliseconds since the epoch; Infinity: all are. */
  readonly notBefore: number;
}

/** Withdraws tokens at once, on every instance that shares the store. */
export interface Revocations {
  /** No-op where a higher version is stored. `seconds`: how long the mark must outlive the tokens already issued. */
  mark(caller: string, mark: Mark, seconds: number): Promise<void>;
}

/** The shared store of marks. Its name shows whether it was emptied or replaced. Throws `CountersUnavailable` when it is away. */
export interface MarkStore extends Revocations {
  /** The name: '' for a store that is empty or not filled yet, '-' where it cannot be read. */
  look(): Promise<string>;
  /** Names the store, once it is filled. */
  name(store: string): Promise<void>;
}

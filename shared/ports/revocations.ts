/** Which tokens of a caller were withdrawn. */
export interface Mark {
  /** Of two marks of one caller that of the higher version counts, in whatever order they are told. */
  readonly version: number;
  /** Tokens issued at this time or before do not count, in milliseconds since the epoch; Infinity: none counts. */
  readonly notBefore: number;
}

/** Callers whose tokens stop counting at once, on every instance that shares the store. */
export interface Revocations {
  /** Does nothing where a higher version is known. `seconds`: how long the mark must outlive the tokens already issued. */
  mark(caller: string, mark: Mark, seconds: number): Promise<void>;
}

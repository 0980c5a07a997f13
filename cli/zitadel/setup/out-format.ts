import { Failure } from '../../failure.ts';

/** What a file keeps: variables, and secrets that were being made when it was written. */
export interface Kept {
  readonly values: ReadonlyMap<string, string>;
  /** By the variable: ids of the personal access tokens that were there before. */
  readonly pending: ReadonlyMap<string, readonly string[]>;
  /** By the variable: what it belongs to, such as the id of a token. */
  readonly belongs: ReadonlyMap<string, string>;
}

/** One form of the file. Text that is not ours stays as it is. */
export interface OutFormat {
  /** Throws Failure. */
  read(text: string): Kept;
  write(before: string, kept: Kept): string;
}

/** Throws Failure for a value with a line break, which an env file cannot hold; Zitadel's ids and secrets have none. */
export function onOneLine(variable: string, value: string): string {
  if (/[\r\n\0]/.test(value)) throw new Failure(`${variable}: Zitadel returned a value of several lines`);
  return value;
}

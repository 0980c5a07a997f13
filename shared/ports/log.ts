/** One line of the request log. Values are identifiers and durations, never tokens, bodies or query strings. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined | object>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** A log that takes one line of level info per request, too. */
export interface RequestLines extends Log {
  /** `members`: of the line's JSON object, as text. Absent where the level leaves such lines out. */
  readonly line: ((members: string) => void) | undefined;
}

/** One line of the request log. Values are identifiers and durations, never tokens, bodies or query strings. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined | object>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** A log that takes lines of level info as text, too: one for each request. */
export interface RequestLines extends Log {
  /** Undefined where the level leaves such lines out. */
  readonly lines: Lines | undefined;
}

export interface Lines {
  /** The JSON text that such a line begins with now; `,"msg":…}` is to follow. */
  begin(): string;
  write(line: string): void;
}

/** A row of COPY's text form: the bytes of `buffer` from `start` to `end`, without the line break. Valid during the call alone. */
export type TakeRow = (buffer: Buffer, start: number, end: number) => void;

export interface ScriptVisitor {
  /** The data of a table begin. Null: its rows are only counted. Columns are in the order of the rows. */
  table(name: string, columns: readonly string[]): TakeRow | null;
  /** The data of a table have ended. */
  rows(name: string, count: number): void;
  /** A line outside of data, cut at 64 KiB. */
  line(text: string): void;
}

export interface Scanned {
  readonly bytes: number;
  /** pg_dump's last words were there, and nothing was left open. */
  readonly complete: boolean;
  /** The table whose data were cut off. */
  readonly cutIn: string | null;
}

const LINE_FEED = 0x0a;
const BACKSLASH = 0x5c;
const PERIOD = 0x2e;
const LONGEST_LINE = 65_536;
const COPY = /^COPY (.+?) \((.*)\) FROM stdin;$/;
const TRAILER = '-- PostgreSQL database dump complete';

/**
 * Reads SQL as pg_dump writes it, with constant memory. A row of COPY is a line, since line breaks in values are escaped
 * (PostgreSQL manual, COPY, "Text Format").
 */
export async function scanScript(script: AsyncIterable<Buffer>, visitor: ScriptVisitor): Promise<Scanned> {
  const state = new Scan(visitor);
  let bytes = 0;
  let rest: Buffer[] = [];
  for await (const chunk of script) {
    bytes += chunk.length;
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start);
      if (end === -1) break;
      if (rest.length > 0) {
        const line = Buffer.concat([...rest, chunk.subarray(start, end)]);
        rest = [];
        state.take(line, 0, line.length);
      } else state.take(chunk, start, end);
      start = end + 1;
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
  }
  if (rest.length > 0) {
    const line = Buffer.concat(rest);
    state.take(line, 0, line.length);
  }
  return { bytes, complete: state.complete && state.open === null, cutIn: state.open };
}

class Scan {
  complete = false;
  /** The table whose rows follow. */
  open: string | null = null;
  readonly #visitor: ScriptVisitor;
  #row: TakeRow | null = null;
  #count = 0;

  constructor(visitor: ScriptVisitor) {
    this.#visitor = visitor;
  }

  take(buffer: Buffer, start: number, end: number): void {
    if (this.open === null)
      this.#statement(buffer.toString('utf8', start, Math.min(end, start + LONGEST_LINE)));
    else if (end - start === 2 && buffer[start] === BACKSLASH && buffer[start + 1] === PERIOD)
      this.#close(this.open);
    else {
      this.#count += 1;
      this.#row?.(buffer, start, end);
    }
  }

  #close(table: string): void {
    this.#visitor.rows(table, this.#count);
    this.open = null;
    this.#row = null;
    this.#count = 0;
  }

  #statement(text: string): void {
    const [, table, columns = ''] = text.startsWith('COPY ') ? (COPY.exec(text) ?? []) : [];
    if (table !== undefined) {
      this.open = unquoted(table);
      this.#row = this.#visitor.table(this.open, columns.split(', ').map(unquoted));
      return;
    }
    if (text === TRAILER) this.complete = true;
    this.#visitor.line(text);
  }
}

/** `"position"` -> `position`; parts of a name are joined as they are. */
function unquoted(name: string): string {
  return name.replaceAll(/"((?:[^"]|"")*)"/g, (_, inner: string) => inner.replaceAll('""', '"'));
}

const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

/** The values of a row; NULL is null. */
export function valuesOf(buffer: Buffer, start: number, end: number): (string | null)[] {
  return buffer
    .toString('utf8', start, end)
    .split('\t')
    .map((value) =>
      value === '\\N'
        ? null
        : value.replaceAll(/\\(.)/g, (_, character: string) => ESCAPES[character] ?? character),
    );
}

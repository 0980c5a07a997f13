import { UnexpectedRow } from './errors.ts';

/** Values of `${}` in a statement. Lists become Postgres arrays: `= any(${ids})`. */
export type SqlValue =
  string | number | bigint | boolean | Date | Uint8Array | Json | null | readonly SqlValue[];

/** SQL text and its parameters in text format: the same bytes whatever the driver. */
export interface Statement {
  readonly text: string;
  readonly params: readonly (string | null)[];
}

/**
 * A statement or a fragment. Only `sql`, `join`, `empty` and `identifier` make it, so its text is literal source and quoted names.
 */
export class Sql {
  readonly strings: readonly string[];
  readonly values: readonly (SqlValue | Sql)[];

  constructor(strings: readonly string[], values: readonly (SqlValue | Sql)[]) {
    this.strings = strings;
    this.values = values;
  }
}

/** A value sent as JSON; `${json(value)}` for json and jsonb columns. */
export class Json {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export function sql(strings: TemplateStringsArray, ...values: readonly (SqlValue | Sql)[]): Sql {
  return new Sql(strings, values);
}

/** Throws TypeError for `undefined`, functions and symbols, which have no JSON form. */
export function json(value: unknown): Json {
  const text: unknown = JSON.stringify(value);
  if (typeof text !== 'string') throw new TypeError('the value has no JSON form');
  return new Json(text);
}

export const empty = new Sql([''], []);

/** A name of the catalogue, qualified by those before it. */
export function identifier(...path: readonly string[]): Sql {
  return new Sql([path.map((name) => `"${name.replaceAll('"', '""')}"`).join('.')], []);
}

const COMMA = new Sql([', '], []);

export function join(parts: readonly Sql[], separator: Sql = COMMA): Sql {
  const values = parts.flatMap((part, index) => (index === 0 ? [part] : [separator, part]));
  return new Sql(new Array<string>(values.length + 1).fill(''), values);
}

export function compile(statement: Sql): Statement {
  const params: (string | null)[] = [];
  return { text: render(statement, params), params };
}

function render(statement: Sql, params: (string | null)[]): string {
  let text = statement.strings[0] ?? '';
  statement.values.forEach((value, index) => {
    text += value instanceof Sql ? render(value, params) : `$${params.push(encode(value))}`;
    text += statement.strings[index + 1] ?? '';
  });
  return text;
}

function encode(value: SqlValue): string | null {
  if (value === null) return null;
  if (typeof value === 'string') return value;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
  if (value instanceof Json) return value.text;
  if (typeof value === 'object') return `{${value.map(encodeElement).join(',')}}`;
  return String(value);
}

function encodeElement(value: SqlValue): string {
  const text = encode(value);
  if (text === null) return 'NULL';
  if (Array.isArray(value)) return text;
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** Returns an unknown row as a typed one, or throws; a zod schema is one. */
export interface RowParser<T> {
  parse(row: unknown): T;
}

/** Parses the rows of one result of a transaction. Throws UnexpectedRow. */
export function parseRows<T>(rows: readonly unknown[], row: RowParser<T>): T[] {
  try {
    return rows.map((candidate) => row.parse(candidate));
  } catch (cause) {
    throw new UnexpectedRow('a row is not of the expected shape', { cause });
  }
}

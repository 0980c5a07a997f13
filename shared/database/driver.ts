import { parse } from 'postgres-array';
import type { Database, Isolation, Result, TransactionOptions } from '../ports/database.ts';
import { UnexpectedRow } from './errors.ts';
import { compile, parseRows, sql, type Sql, type Statement } from './sql.ts';

/** An adapter's part. Rejects with errors already mapped by `toDatabaseError`. */
export interface DatabaseDriver {
  run(statement: Statement): Promise<RawResult>;
  transact(statements: readonly Statement[], isolation: Isolation): Promise<RawResult[]>;
  close(): Promise<void>;
}

export function createDatabase(driver: DatabaseDriver): Database {
  return {
    query: async (statement, row) => parseRows(decode(await driver.run(compile(statement))), row),
    execute: async (statement) => (await driver.run(compile(statement))).count,
    transaction: async (statements: readonly Sql[], options: TransactionOptions = {}): Promise<Result[]> => {
      if (statements.length === 0) return [];
      const results = await driver.transact(statements.map(compile), options.isolation ?? 'read committed');
      return results.map((result) => ({ rows: decode(result), count: result.count }));
    },
    ping: async () => {
      await driver.run(compile(sql`select 1`));
    },
    close: () => driver.close(),
  };
}

function decode(result: RawResult): unknown[] {
  try {
    return decodeRows(result);
  } catch (cause) {
    throw new UnexpectedRow('a value cannot be read', { cause });
  }
}

/** Settings the code relies on, whatever `alter database … set` and `alter role … set`. */
const SETTINGS: Readonly<Record<string, string>> = {
  array_nulls: 'on',
  bytea_output: 'hex',
  datestyle: 'ISO, MDY',
  default_transaction_isolation: 'read committed',
  extra_float_digits: '1',
  intervalstyle: 'postgres',
  quote_all_identifiers: 'off',
  standard_conforming_strings: 'on',
  timezone: 'UTC',
};

/**
 * PgBouncer tracks these per client, by the server's ParameterStatus messages; a SET of any other would stay on a connection
 * that other clients share.
 */
const KEPT_BY_POOLERS = ['datestyle', 'standard_conforming_strings', 'timezone'];

export type SettingsScope =
  /** For the life of the connection: only where it is the server's own. */
  | 'session'
  /** For the current transaction: valid everywhere. */
  | 'transaction'
  /** For the client of a transaction pooler, between transactions. */
  | 'pooled session';

/** One statement without parameters. `statementTimeoutMs`: 0 = no bound; absent = unchanged. */
export function settingsStatement(scope: SettingsScope, statementTimeoutMs?: number): string {
  const wanted = Object.entries(SETTINGS);
  if (statementTimeoutMs !== undefined) wanted.push(['statement_timeout', String(statementTimeoutMs)]);
  const calls = wanted
    .filter(([name]) => scope !== 'pooled session' || KEPT_BY_POOLERS.includes(name))
    .map(([name, value]) => `set_config('${name}', '${value}', ${String(scope === 'transaction')})`);
  return `select ${calls.join(', ')}`;
}

/** Rows as Postgres writes them (text format), with the type of each column. */
export interface RawResult {
  readonly fields: readonly { readonly name: string; readonly oid: number }[];
  readonly rows: readonly (readonly (string | null)[])[];
  readonly count: number;
}

type Decoder = (text: string) => unknown;

/** OIDs of pg_catalog.pg_type; fixed for built-in types. */
const SCALARS: ReadonlyMap<number, Decoder> = new Map<number, Decoder>([
  [16, (text) => text === 't'],
  [17, decodeBytea],
  [20, decodeInt8],
  [21, Number],
  [23, Number],
  [26, Number],
  [114, parseJson],
  [700, Number],
  [701, Number],
  [1184, decodeTimestamptz],
  [3802, parseJson],
]);

const asText: Decoder = (text) => text;

/** Array type → element type. */
const ARRAYS: ReadonlyMap<number, number> = new Map([
  [199, 114],
  [1000, 16],
  [1001, 17],
  [1002, 18],
  [1003, 19],
  [1005, 21],
  [1007, 23],
  [1009, 25],
  [1015, 1043],
  [1016, 20],
  [1021, 700],
  [1022, 701],
  [1028, 26],
  [1182, 1082],
  [1185, 1184],
  [1231, 1700],
  [2951, 2950],
  [3807, 3802],
]);

export function decodeRows(result: RawResult): Record<string, unknown>[] {
  const decoders = result.fields.map(({ oid }) => decoderFor(oid));
  return result.rows.map((row) => {
    const decoded: Record<string, unknown> = {};
    result.fields.forEach(({ name }, column) => {
      const text = row[column] ?? null;
      decoded[name] = text === null ? null : (decoders[column] ?? asText)(text);
    });
    return decoded;
  });
}

function decoderFor(oid: number): Decoder {
  const element = ARRAYS.get(oid);
  if (element === undefined) return SCALARS.get(oid) ?? asText;
  const decode = SCALARS.get(element) ?? asText;
  return (text) => parse(text, decode);
}

function decodeInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError('an int8 does not fit a number: select it ::text');
  return value;
}

function parseJson(text: string): unknown {
  return JSON.parse(text);
}

function decodeBytea(text: string): Uint8Array {
  if (!text.startsWith('\\x')) throw new RangeError('bytea_output must be hex');
  return new Uint8Array(Buffer.from(text.slice(2), 'hex'));
}

const ISO_TIMESTAMPTZ = /^(\d{4})-(\d\d)-(\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d)(?::?(\d\d))?$/;

/** Years 0001 to 9999; `infinity` and BC have no Date. */
function decodeTimestamptz(text: string): Date {
  const [, year, month, day, time, hours, minutes] = ISO_TIMESTAMPTZ.exec(text) ?? [];
  if (year === undefined) throw new RangeError('a timestamptz has no Date, or DateStyle is not ISO');
  return new Date(`${year}-${month ?? ''}-${day ?? ''}T${time ?? ''}${hours ?? ''}:${minutes ?? '00'}`);
}

import { parse } from 'postgres-array';
import { UnexpectedRow } from './errors.ts';

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

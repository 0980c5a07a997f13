import * as z from 'zod';
import type { Database, Isolation } from '../../ports/database.ts';
import type { Exchange } from '../../ports/runtime.ts';
import { createDatabase, settingsStatement, type RawResult } from '../../database/driver.ts';
import { DatabaseUnavailable, toDatabaseError } from '../../database/errors.ts';
import type { Statement } from '../../database/sql.ts';

export interface NeonOptions {
  readonly url: string;
  readonly exchange: Exchange;
  /** Endpoint of SQL over HTTP, instead of the one the driver derives from `url`. */
  readonly endpoint?: string;
  /** Milliseconds for a whole statement or transaction. Default 15000. */
  readonly timeoutMs?: number;
}

const ISOLATION = {
  'read committed': 'ReadCommitted',
  'repeatable read': 'RepeatableRead',
  serializable: 'Serializable',
} as const satisfies Record<Isolation, string>;

/** The driver calls one global fetch; ours is passed with each call, so that two databases may have two. */
const TRANSPORT = Symbol('transport');
interface Call extends RequestInit {
  readonly [TRANSPORT]: (url: string, init: RequestInit) => Promise<Response>;
}

const AS_TEXT = { getTypeParser: () => (text: string) => text };
const FULL = { arrayMode: true, fullResults: true, disableWarningInBrowsers: true } as const;

const FullResult = z.object({
  fields: z.array(z.object({ name: z.string(), dataTypeID: z.number() })),
  rows: z.array(z.array(z.string().nullable())),
  rowCount: z.number().nullish(),
});

/** Postgres over HTTP by Neon's driver, one POST for all statements of a transaction; the exchange bounds each. */
export function openNeonDatabase(options: NeonOptions): Database {
  const url = named(options.url);
  const fetchOptions: Call = { [TRANSPORT]: transportOf(options) };
  /** The first statement sets what the others rely on; each call is a transaction, so nothing of it outlives the call. */
  const transact = async (statements: readonly Statement[], isolation: Isolation): Promise<RawResult[]> => {
    try {
      const query = (await driver())(url, FULL);
      const queries = [{ text: settingsStatement('transaction'), params: [] }, ...statements].map(
        ({ text, params }) => query.query(text, [...params], { types: AS_TEXT }),
      );
      const isolationLevel = ISOLATION[isolation];
      return (await query.transaction(queries, { fetchOptions, isolationLevel })).slice(1).map(parse);
    } catch (error) {
      throw toDatabaseError(withoutData(error));
    }
  };
  return createDatabase({
    run: async (statement) => {
      const [result] = await transact([statement], 'read committed');
      if (result === undefined) throw new DatabaseUnavailable('an answer without its result');
      return result;
    },
    transact,
    close: () => Promise.resolve(),
  });
}

/** Evaluated with the first statement: 145 KiB that an isolate without one never evaluates. */
async function driver() {
  const { neon, neonConfig } = await import('@neondatabase/serverless');
  neonConfig.fetchFunction = (url: string, { [TRANSPORT]: send, ...init }: Call) => send(url, init);
  return neon;
}

function transportOf({ exchange, endpoint, timeoutMs = 15_000 }: NeonOptions): Call[typeof TRANSPORT] {
  return async (url, { headers: given, body }) => {
    if (typeof body !== 'string') throw new TypeError('Neon sends text');
    const headers = { 'content-type': 'application/json', ...Object.fromEntries(new Headers(given)) };
    const { status, text } = await exchange({
      method: 'POST',
      url: endpoint ?? url,
      headers,
      body,
      timeoutMs,
    });
    return new Response(text, { status });
  };
}

/** Adds the application name of the other drivers, where the URL has none. */
function named(url: string): string {
  const { search, searchParams } = new URL(url);
  if (searchParams.has('application_name')) return url;
  return `${url}${search === '' ? '?' : '&'}application_name=sallyport`;
}

function parse(result: unknown): RawResult {
  const { fields, rows, rowCount } = FullResult.parse(result);
  return {
    fields: fields.map(({ name, dataTypeID }) => ({ name, oid: dataTypeID })),
    rows,
    count: rowCount ?? 0,
  };
}

const Refused = z.object({ name: z.literal('NeonDbError'), code: z.string().optional() });
const Sent = z.object({ sourceError: z.instanceof(Error) });

/** The driver, and its JSON parser, quote whole answers of a proxy; only parts without data are kept. */
function withoutData(error: unknown): unknown {
  if (error instanceof SyntaxError) return new Error('an answer that is no JSON');
  const refused = Refused.safeParse(error);
  if (!(error instanceof Error) || !refused.success || refused.data.code !== undefined) return error;
  const sent = Sent.safeParse(error);
  if (sent.success) return new Error(sent.data.sourceError.name);
  return new Error(/HTTP status \d{3}/.exec(error.message)?.[0] ?? 'refused without an SQLSTATE');
}

import { neon, neonConfig, NeonDbError } from '@neondatabase/serverless';
import * as z from 'zod';
import type { Database, Isolation } from '../../ports/database.ts';
import { createDatabase } from '../../database/create.ts';
import type { RawResult } from '../../database/decode.ts';
import { DatabaseUnavailable, toDatabaseError } from '../../database/errors.ts';
import { settingsStatement } from '../../database/settings.ts';
import type { Statement } from '../../database/sql.ts';
import type { Fetch } from '../../ports/runtime.ts';

export interface NeonOptions {
  readonly url: string;
  readonly fetch: Fetch;
  /** Where the SQL-over-HTTP form is spoken, instead of the address the driver derives from `url`. */
  readonly endpoint?: string;
  /** Milliseconds for a whole statement or transaction. Default 15000. */
  readonly timeoutMs?: number;
}

const ISOLATION = {
  'read committed': 'ReadCommitted',
  'repeatable read': 'RepeatableRead',
  serializable: 'Serializable',
} as const satisfies Record<Isolation, string>;

/** The driver knows only a global fetch; ours travels with each call so that two databases may have two. */
const TRANSPORT = Symbol('transport');
interface Call extends RequestInit {
  readonly [TRANSPORT]: (url: string, init: RequestInit) => Promise<Response>;
}
neonConfig.fetchFunction = (url: string, { [TRANSPORT]: send, ...init }: Call) => send(url, init);

const AS_TEXT = { getTypeParser: () => (text: string) => text };
const FULL = { arrayMode: true, fullResults: true } as const;

const FullResult = z.object({
  fields: z.array(z.object({ name: z.string(), dataTypeID: z.number() })),
  rows: z.array(z.array(z.string().nullable())),
  rowCount: z.number().nullish(),
});

export function openNeonDatabase(options: NeonOptions): Database {
  const query = neon(options.url, { ...FULL, disableWarningInBrowsers: true });
  const call = (): { fetchOptions: Call } => ({
    fetchOptions: {
      [TRANSPORT]: (url, init) => options.fetch(options.endpoint ?? url, init),
      signal: AbortSignal.timeout(options.timeoutMs ?? 15_000),
    },
  });
  /** The first statement sets what the others rely on; each call is a transaction, so nothing of it outlives the call. */
  const transact = (statements: readonly Statement[], isolation: Isolation): Promise<RawResult[]> =>
    answered(async () => {
      const queries = [{ text: settingsStatement('transaction'), params: [] }, ...statements].map(
        ({ text, params }) => query.query(text, [...params], { types: AS_TEXT }),
      );
      const results = await query.transaction(queries, { ...call(), isolationLevel: ISOLATION[isolation] });
      return results.slice(1).map(parse);
    });
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

function parse(result: unknown): RawResult {
  const { fields, rows, rowCount } = FullResult.parse(result);
  return {
    fields: fields.map(({ name, dataTypeID }) => ({ name, oid: dataTypeID })),
    rows,
    count: rowCount ?? 0,
  };
}

async function answered<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toDatabaseError(error instanceof NeonDbError && error.code === undefined ? network(error) : error);
  }
}

/** The driver quotes whole answers of a proxy; only what is known to be no data is kept. */
function network({ sourceError, message }: NeonDbError): Error {
  if (sourceError !== undefined) return new Error(sourceError.name);
  return new Error(/HTTP status \d{3}/.exec(message)?.[0] ?? 'refused without an SQLSTATE');
}

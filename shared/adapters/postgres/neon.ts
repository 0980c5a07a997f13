import * as z from 'zod';
import { createDatabase } from '../../database/create.ts';
import type { RawResult } from '../../database/rows.ts';
import { DatabaseUnavailable, toDatabaseError } from '../../database/errors.ts';
import { settingsStatement } from '../../database/settings.ts';
import type { Statement } from '../../database/sql.ts';
import type { Database, Isolation } from '../../ports/database.ts';
import type { Exchange, Reply } from '../../ports/runtime.ts';

export interface NeonOptions {
  readonly url: string;
  readonly exchange: Exchange;
  /** Where SQL over HTTP is spoken, instead of the address derived from `url`. */
  readonly endpoint?: string;
  /** Milliseconds for a whole statement or transaction. Default 15000. */
  readonly timeoutMs?: number;
}

const ISOLATION: Readonly<Record<Isolation, string>> = {
  'read committed': 'ReadCommitted',
  'repeatable read': 'RepeatableRead',
  serializable: 'Serializable',
};

const Coded = z.object({ code: z.string() });
const Results = z.object({
  results: z.array(
    z.object({
      fields: z.array(z.object({ name: z.string(), dataTypeID: z.number() })),
      rows: z.array(z.array(z.string().nullable())),
      rowCount: z.number().nullish(),
    }),
  ),
});

/**
 * Postgres over HTTP, as Neon's own driver speaks it (a contract test holds the two together): one POST of all statements of
 * a transaction. The driver itself would be 145 KiB of the Worker's bundle for this, most of it `pg` once more.
 */
export function openNeonDatabase(options: NeonOptions): Database {
  const { exchange, timeoutMs = 15_000 } = options;
  const url = options.endpoint ?? endpointOf(options.url);
  const headers = {
    'content-type': 'application/json',
    'neon-connection-string': named(options.url),
    'neon-raw-text-output': 'true',
    'neon-array-mode': 'true',
  };
  /** The first statement sets what the others rely on; each call is a transaction, so nothing of it outlives the call. */
  const transact = async (statements: readonly Statement[], isolation: Isolation): Promise<RawResult[]> => {
    const queries = [{ text: settingsStatement('transaction'), params: [] }, ...statements].map(
      ({ text, params }) => ({ query: text, params }),
    );
    const reply = await exchange({
      method: 'POST',
      url,
      headers: { ...headers, 'neon-batch-isolation-level': ISOLATION[isolation] },
      body: JSON.stringify({ queries }),
      timeoutMs,
    }).catch((error: unknown) => {
      throw new DatabaseUnavailable(error instanceof Error ? error.name : 'no answer');
    });
    const results = resultsOf(reply);
    if (results.length !== queries.length) throw new DatabaseUnavailable('an answer without its result');
    return results.slice(1);
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

/** The first label of the host names the database's computer; the API of its region stands beside it. */
function endpointOf(url: string): string {
  return `https://${new URL(url).hostname.replace(/^[^.]+\./, 'api.')}/sql`;
}

/** Named as the other drivers' connections are, where the URL gives no name. */
function named(url: string): string {
  const { search, searchParams } = new URL(url);
  if (searchParams.has('application_name')) return url;
  return `${url}${search === '' ? '?' : '&'}application_name=sallyport`;
}

/** A refusal of Postgres has status 400 and its fields; whatever else is no answer, and quoted nowhere: it may hold data. */
function resultsOf({ status, text }: Reply): RawResult[] {
  const body = parsed(text);
  if (status === 400)
    throw toDatabaseError(Coded.safeParse(body).success ? body : new Error('refused without an SQLSTATE'));
  if (status !== 200) throw new DatabaseUnavailable(`HTTP status ${status}`);
  const results = Results.safeParse(body);
  if (!results.success) throw new DatabaseUnavailable('an answer that is not of Neon');
  return results.data.results.map(({ fields, rows, rowCount }) => ({
    fields: fields.map(({ name, dataTypeID }) => ({ name, oid: dataTypeID })),
    rows,
    count: rowCount ?? 0,
  }));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

import { waitUntil } from 'cloudflare:workers';
import { openHyperdriveDatabase } from '../../shared/adapters/postgres/hyperdrive.ts';
import { openNeonDatabase } from '../../shared/adapters/postgres/neon.ts';
import { openPgDatabase } from '../../shared/adapters/postgres/pg.ts';
import { exchangeBy } from '../../shared/runtime.ts';
import { DatabaseError, DatabaseUnavailable, sql, type Database } from '../../shared/ports/database.ts';

const exchange = exchangeBy((to, init) => fetch(to, init));

interface Variables {
  readonly DATABASE_URL: string;
  readonly NEON_ENDPOINT: string;
  readonly HYPERDRIVE: { readonly connectionString: string };
}

/** Asks the database from inside workerd; the test outside judges the answers. */
export default {
  async fetch(request: Request, variables: Variables): Promise<Response> {
    const driver = new URL(request.url).pathname;
    const db = open(driver, variables);
    try {
      if (driver === '/hyperdrive') return Response.json({ ...(await answers(db)), ...(await asked(db)) });
      return Response.json({
        ...(await answers(db)),
        away: await failure(elsewhere(driver, variables).ping()),
        slow: await failure(db.execute(sql`select pg_sleep(30)`)),
      });
    } finally {
      await db.close();
    }
  },
};

function open(
  driver: string,
  { DATABASE_URL: url, NEON_ENDPOINT: endpoint, HYPERDRIVE }: Variables,
): Database {
  if (driver === '/pg') return openPgDatabase({ url, max: 1, statementTimeoutMs: 1_000 });
  if (driver === '/neon') return openNeonDatabase({ url, endpoint, exchange, timeoutMs: 2_000 });
  return openHyperdriveDatabase({ url: HYPERDRIVE.connectionString, background: waitUntil });
}

/** The same driver at an address where nobody listens. */
function elsewhere(driver: string, variables: Variables): Database {
  const nobody = 'http://127.0.0.1:1/';
  return open(driver, { ...variables, DATABASE_URL: 'postgres://u:p@127.0.0.1:1/db', NEON_ENDPOINT: nobody });
}

async function answers(db: Database) {
  const any = { parse: (row: unknown) => row as Record<string, unknown> };
  const [row] = await db.query(
    sql`select ${'ünï'}::text as t, 7::int8 as n, '2025-01-02 03:04:05Z'::timestamptz as d, ${new Uint8Array([1, 255])}::bytea as b`,
    any,
  );
  const results = await db.transaction([sql`select ${1}::int4 as one`, sql`select 2 as two`], {
    isolation: 'serializable',
  });
  return {
    text: row?.['t'],
    number: row?.['n'],
    date: row?.['d'] instanceof Date,
    bytes: row?.['b'] instanceof Uint8Array,
    transaction: results.map(({ rows }) => rows),
    refused: await failure(db.execute(sql`select 1/0`)),
  };
}

/** The text as it reached Postgres, by each way that leads there. */
async function asked(db: Database) {
  const text = sql`select current_query() as text`;
  const row = { parse: (found: unknown) => (found as { text: string }).text };
  const [queried] = await db.query(text, row);
  const [batched] = await db.transaction([text]);
  return { queried, batched: batched?.rows.map((each) => row.parse(each))[0] };
}

async function failure(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.catch((reason: unknown) => reason);
  if (error instanceof DatabaseError) return error.code;
  return error instanceof DatabaseUnavailable ? 'unavailable' : String(error);
}

import { openNeonDatabase } from '../../shared/adapters/database-neon.ts';
import { openPgDatabase } from '../../shared/adapters/database-pg.ts';
import { DatabaseError, DatabaseUnavailable, sql, type Database } from '../../shared/database.ts';

interface Variables {
  readonly DATABASE_URL: string;
  readonly NEON_ENDPOINT: string;
}

/** Asks the database from inside workerd; the test outside judges the answers. */
export default {
  async fetch(request: Request, variables: Variables): Promise<Response> {
    const { DATABASE_URL: url, NEON_ENDPOINT: endpoint } = variables;
    const db =
      new URL(request.url).pathname === '/neon'
        ? openNeonDatabase({ url, endpoint, fetch: (target, init) => fetch(target, init), timeoutMs: 2_000 })
        : openPgDatabase({ url, max: 1, statementTimeoutMs: 1_000 });
    try {
      return Response.json(await answers(db));
    } finally {
      await db.close();
    }
  },
};

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
    slow: await failure(db.execute(sql`select pg_sleep(30)`)),
  };
}

async function failure(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.catch((reason: unknown) => reason);
  if (error instanceof DatabaseError) return error.code;
  return error instanceof DatabaseUnavailable ? 'unavailable' : String(error);
}

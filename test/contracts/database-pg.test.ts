import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import * as z from 'zod';
import { openPgDatabase } from '../../shared/adapters/postgres/pg.ts';
import { DatabaseUnavailable, sql } from '../../shared/ports/database.ts';
import { postgresMissing, startPostgres, type PostgresService } from '../services/postgres.ts';
import { Border } from '../support/border.ts';
import { crossToPostgres } from '../support/crossing-postgres.ts';
import { databaseContract, unavailableContract } from './database.contract.ts';

describe.skipIf(postgresMissing)('pg over Postgres (needs the postgresql package)', () => {
  let service: PostgresService | undefined;
  beforeAll(async () => {
    service = await startPostgres();
  });
  afterAll(() => service?.close());

  databaseContract('pg', async () => openPgDatabase({ url: service!.url }));
  unavailableContract('pg', async (state) =>
    state === 'away'
      ? openPgDatabase({ url: 'postgres://postgres@127.0.0.1:1/postgres' })
      : openPgDatabase({ url: service!.url, statementTimeoutMs: 200, max: 1 }),
  );
  unavailableContract('pg as behind a pooler', async (state) =>
    state === 'away'
      ? openPgDatabase({ url: 'postgres://postgres@127.0.0.1:1/postgres', pooled: true })
      : openPgDatabase({ url: service!.url, statementTimeoutMs: 200, max: 1, pooled: true }),
  );

  /** A pool with two idle connections, each named by its backend. */
  async function twoIdle(url = service!.url) {
    const database = openPgDatabase({ url, max: 2 });
    onTestFinished(() => database.close());
    const backend = async () => {
      const rows = await database.query(sql`select pg_backend_pid() as pid`, z.object({ pid: z.number() }));
      return rows[0]?.pid;
    };
    const opened = await Promise.all([backend(), backend()]);
    expect(new Set(opened).size).toBe(2);
    return { database, backend, opened };
  }

  describe('a connection that is older than one that was lost is never used again', () => {
    it('when the server ended it', async () => {
      const { database, backend, opened } = await twoIdle();
      const ending = database.execute(sql`select pg_terminate_backend(pg_backend_pid())`);
      await expect(ending).rejects.toBeInstanceOf(DatabaseUnavailable);
      expect(opened).not.toContain(await backend());
    });

    it('when the server ended it within a transaction, which says why once', async () => {
      const { database, backend, opened } = await twoIdle();
      const ending = database.transaction([sql`select pg_terminate_backend(pg_backend_pid())`]);
      await expect(ending).rejects.toMatchObject({
        name: 'DatabaseUnavailable',
        message: 'the database is unavailable: SQLSTATE 57P01',
      });
      expect(opened).not.toContain(await backend());
    });

    it('when the network reset it: the statement right after it passes', async () => {
      const border = new Border();
      const crossing = await crossToPostgres(service!.url, border);
      onTestFinished(() => crossing.close());
      const { database, backend, opened } = await twoIdle(crossing.url);
      border.arm(1, 'lost', () => {
        crossing.cut();
      });
      // In the same turn of the event loop: the other connection's reset is not read yet.
      const next = await database.ping().catch(async (error: unknown) => {
        expect(error).toBeInstanceOf(DatabaseUnavailable);
        border.disarm();
        await crossing.mend();
        return backend();
      });
      expect(next).toBeTypeOf('number');
      expect(opened).not.toContain(next);
    });

    it('but a statement that took too long costs its own connection alone', async () => {
      const { database, backend, opened } = await twoIdle();
      const cancelled = database.execute(sql`select pg_cancel_backend(pg_backend_pid()), pg_sleep(600)`);
      await expect(cancelled).rejects.toBeInstanceOf(DatabaseUnavailable);
      expect(opened).toContain(await backend());
    });
  });
});

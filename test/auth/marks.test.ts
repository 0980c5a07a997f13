import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authJobs } from '../../functions/auth/jobs.ts';
import { sessionOf } from '../../shared/identity/subjects.ts';
import { CountersUnavailable } from '../../shared/errors.ts';
import { sql } from '../../shared/ports/database.ts';
import { markEnded, sessionMarks } from '../../shared/sessions/revocation.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { makeUser } from './people.ts';
import * as z from 'zod';

const log = { debug() {}, info() {}, warn() {}, error() {} };
const Id = z.object({ id: z.string() });

describe('ended sessions', () => {
  let db: MigratedDatabase;
  beforeAll(async () => {
    db = await DATABASE.start();
  });
  afterAll(() => db.close());

  /** Sessions of one user, all ended by one statement, so at the same moment. */
  async function ended(count: number, accessLives = '10 minutes'): Promise<string[]> {
    const user = await makeUser(db.database);
    await db.database.execute(sql`
      insert into sessions (user_id, tenant_id, access_token_expires_at, refresh_token_expires_at)
      select ${user.userId}, ${user.tenantId}, now() + ${accessLives}::interval, now() + interval '1 day' from generate_series(1, ${count}::int)`);
    const rows = await db.database.query(
      sql`update sessions set revoked = true, revoked_at = now() where user_id = ${user.userId} returning session_id as id`,
      Id,
    );
    return rows.map(({ id }) => sessionOf(`session|${user.userId}`, id)).sort();
  }

  async function visited(sinceMs: number): Promise<string[]> {
    const callers: string[] = [];
    await sessionMarks(db.database).since(sinceMs, async (caller, { notBefore }) => {
      expect(notBefore).toBe(Infinity);
      callers.push(caller);
    });
    return callers.sort();
  }

  it('are all found, however many ended at the same moment, each once', async () => {
    const before = Date.now() - 60_000;
    const all = await ended(451);
    expect(await visited(before)).toEqual(all);
    expect(await visited(Date.now() + 60_000)).toEqual([]);
    await ended(3, '-10 minutes');
    expect(await visited(before)).toEqual(all);
  });

  it('are found by name, and nobody else is', async () => {
    const [one = ''] = await ended(1);
    const marks = sessionMarks(db.database);
    expect(await marks.of(one)).toMatchObject({ notBefore: Infinity });
    for (const other of [
      'session|b1f0a3a2-7d4c-4f0a-9d53-0a1b2c3d4e5f',
      'session|b1f0a3a2-7d4c-4f0a-9d53-0a1b2c3d4e5f|sid:nonsense',
      'zitadel|x',
      sessionOf('session|x', 'b1f0a3a2-7d4c-4f0a-9d53-0a1b2c3d4e5f'),
    ])
      expect(await marks.of(other)).toBeUndefined();
  });

  it('are marked although the store is away: it gets the marks from the database later', async () => {
    let marked = 0;
    const revocations = {
      mark: async () => {
        marked += 1;
        if (marked % 2 === 0) throw new CountersUnavailable('away');
      },
    };
    await markEnded(
      Array.from({ length: 120 }, (_, at) => String(at)),
      { revocations, log },
    );
    expect(marked).toBe(120);
  });
});

describe('the daily jobs', () => {
  it('delete what nobody needs any more, and keep sessions of the last 31 days', async () => {
    const db = await DATABASE.start();
    const user = await makeUser(db.database);
    const session = (created: string, over: string) =>
      db.database.execute(sql`
      insert into sessions (user_id, tenant_id, access_token_expires_at, refresh_token_expires_at, created_at, revoked)
      values (${user.userId}, ${user.tenantId}, now(), now() + ${over}::interval, now() + ${created}::interval, true)`);
    await session('-40 days', '-32 days');
    await session('-40 days', '-30 days');
    await session('-1 day', '-1 hour');
    await session('-40 days', '1 day');
    await db.database.execute(
      sql`insert into sallyport_spent (key, expires_at) values ('a', now() - interval '1 second'), ('b', now() + interval '1 hour')`,
    );
    await db.database.execute(sql`insert into sallyport_audit (at, who, what, source) values
      (now() - interval '401 days', 'a', 'signed_in', 'x'), (now() - interval '401 days', 'a', 'forgotten', 'x'),
      (now() - interval '399 days', 'a', 'signed_in', 'x')`);
    const jobs = authJobs(db);
    const run = { signal: new AbortController().signal, dryRun: false };
    expect(await jobs['sessions-prune'].run({ ...run, dryRun: true })).toEqual({
      sessions: 1,
      spent: 1,
      registrations: 0,
      resets: 0,
    });
    expect(await jobs['sessions-prune'].run(run)).toEqual({
      sessions: 1,
      spent: 1,
      registrations: 0,
      resets: 0,
    });
    expect(await jobs['sessions-prune'].run(run)).toEqual({
      sessions: 0,
      spent: 0,
      registrations: 0,
      resets: 0,
    });
    expect(await jobs['audit-prune'].run(run)).toEqual({ rows: 1 });
    await db.close();
  });

  it('the audit takes no change of a row', async () => {
    const db = await DATABASE.start();
    await db.database.execute(
      sql`insert into sallyport_audit (who, what, source) values ('a', 'signed_in', 'x')`,
    );
    await expect(db.database.execute(sql`update sallyport_audit set who = 'b'`)).rejects.toThrow();
    await db.close();
  });
});

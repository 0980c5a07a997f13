/**
 * A rolling update: processes of the release before work beside new ones on the migrated database.
 */
import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { begin, finish, readStates } from '../../functions/cron/runs.ts';
import { openSyncLease, FEATURE_SYNC } from '../../functions/feature-sync/runs.ts';
import type { Sql } from '../../shared/ports/database.ts';
import { openLease } from '../../shared/runs/lease.ts';
import { openRuns } from '../../shared/runs/run.ts';
import { readMigrations } from '../../cli/db/files.ts';
import { migrate } from '../../cli/db/migrate.ts';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import { connect, MIGRATIONS, options } from '../db/support.ts';
import { postgresMissing, startPostgres, type PostgresService } from '../services/postgres.ts';
import { CHANGES, formerCron, formerSync, JOB } from './former.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';

const EMPTIED = ['sallyport_runs', 'sallyport_cron_runs', 'sallyport_leases', 'sallyport_feature_lease'];

describe.each(kindsOf(DATABASES))('beside the release before, on $name', (kind) => {
  describe.skipIf(kind.missing)('', () => {
    let db: MigratedDatabase;
    let client: Client;
    beforeAll(async () => {
      db = await kind.start();
      client = await connect(db.url);
    });
    afterAll(async () => {
      await client.end();
      await db.close();
    });
    beforeEach(async () => {
      for (const table of EMPTIED) await client.query(`delete from ${table}`);
    });
    const runOut = () => client.query(`update sallyport_leases set expires_at = now()`);
    const at = (minute: number) => new Date(Date.UTC(2030, 0, 1, 10, minute));

    it('a job runs in one of both, each time of the schedule once, and both see how it ended', async () => {
      const former = formerCron(client);
      const lease = openLease(db.database, { name: JOB });
      const theirs = (await former.claim(at(1)))!;
      expect(await begin(lease, { runId: randomUUID(), due: at(1) })).toBe(false);
      expect(await former.finish(theirs)).toBe(true);
      expect(await begin(lease, { runId: randomUUID(), due: at(1) })).toBe(false);
      const runId = randomUUID();
      expect(await begin(lease, { runId, due: at(2) })).toBe(true);
      expect(await former.claim(at(2))).toBeUndefined();
      expect(await former.claim(null)).toBeUndefined();
      expect(await finish(lease, { runId, outcome: 'done', detail: { applied: 1 } })).toBe(true);
      expect(await former.claim(at(2))).toBeUndefined();
      expect(await former.claim(at(3))).toBeDefined();
      expect(await readStates(db.database)).toMatchObject([{ job: JOB, running: true, last_outcome: null }]);
    });

    it('a job that either took over is lost to the other', async () => {
      const former = formerCron(client);
      const lease = openLease(db.database, { name: JOB });
      const runId = randomUUID();
      await begin(lease, { runId, due: at(1) });
      await runOut();
      const theirs = (await former.claim(at(2)))!;
      await expect(lease.hold()).rejects.toThrow('has taken over');
      expect(await finish(lease, { runId, outcome: 'done', detail: {} })).toBe(false);
      await runOut();
      expect(await begin(lease, { runId: randomUUID(), due: at(3) })).toBe(true);
      expect(await former.finish(theirs)).toBe(false);
      await lease.hold();
    });

    it('a job whose holder was seen dead, and that the former took meanwhile, is not taken from it', async () => {
      const former = formerCron(client);
      const lease = openLease(db.database, { name: JOB });
      await begin(openLease(db.database, { name: JOB }), { runId: randomUUID(), due: at(1) });
      const seen = (await lease.holder())!;
      await runOut();
      const theirs = (await former.claim(at(2)))!;
      // The former gives a taken lease no higher number.
      expect((await lease.holder())?.token).toBe(seen.token);
      expect(await lease.take({ runId: randomUUID(), over: seen })).toBe(false);
      expect(await former.finish(theirs)).toBe(true);
    });

    it('a feature sync that cannot ask the former table leaves its lease to the next one at once', async () => {
      const failing = {
        ...db.database,
        execute: (statement: Sql) =>
          statement.strings.some((text) => text.includes('sallyport_feature_lease as former'))
            ? Promise.reject(new Error('away'))
            : db.database.execute(statement),
      };
      const take = openSyncLease(failing, {}).take({ runId: randomUUID() });
      await expect(take).rejects.toThrow('away');
      expect(await openSyncLease(db.database, {}).take({ runId: randomUUID() })).toBe(true);
    });

    it('one feature sync works at a time, whichever came first, also after either was cut off', async () => {
      const former = formerSync(client);
      const lease = openSyncLease(db.database, {});
      const take = () => lease.take({ runId: randomUUID() });
      expect(await former.acquire()).toBe(true);
      expect(await take()).toBe(false);
      expect(await former.hold()).toBe(1);
      await former.release();
      expect(await take()).toBe(true);
      expect(await former.acquire()).toBe(false);
      await lease.release();
      expect(await former.acquire()).toBe(true);
      // Cut off, and its lease ran out.
      await client.query('update sallyport_feature_lease set expires_at = now()');
      expect(await take()).toBe(true);
      expect(await former.hold()).toBe(0);
      // Cut off in turn: the next of this release takes over, and the former waits for it.
      await runOut();
      expect(await openSyncLease(db.database, {}).take({ runId: randomUUID() })).toBe(true);
      expect(await former.acquire()).toBe(false);
    });

    it('a run that was taken over leaves the former table to the run that has it now', async () => {
      const former = formerSync(client);
      const [paused, next] = [openSyncLease(db.database, {}), openSyncLease(db.database, {})];
      await paused.take({ runId: randomUUID() });
      await runOut();
      expect(await next.take({ runId: randomUUID() })).toBe(true);
      expect(await paused.release()).toBe(false);
      expect(await former.acquire()).toBe(false);
      expect(await next.release()).toBe(true);
      expect(await former.acquire()).toBe(true);
    });

    it('either goes on with what the other has begun', async () => {
      const former = formerSync(client);
      const lease = openSyncLease(db.database, {});
      const runs = openRuns(db.database, lease, FEATURE_SYNC);
      const [theirs, ours] = [randomUUID(), randomUUID()];
      await former.acquire();
      expect(await former.create(theirs)).toBe(1);
      expect(await former.advance(theirs, 'expanding')).toBe(1);
      await former.release();
      const begun = { id: theirs, fingerprint: 'of the former', plan: CHANGES, progress: 3 };
      expect(await runs.unfinished()).toEqual({ ...begun, state: 'expanding' });
      await lease.take({ runId: theirs });
      await runs.advance(theirs, 'restored', 0);
      await runs.create({ id: ours, fingerprint: 'ours', plan: CHANGES, state: 'snapshot' });
      await lease.release();
      const seen = { run_id: ours, fingerprint: 'ours', changes: CHANGES, state: 'snapshot', progress: 0 };
      expect(await former.latest()).toEqual(seen);
      await former.acquire();
      expect(await former.remove(ours)).toBe(1);
      expect(await runs.latest()).toBeUndefined();
    });
  });
});

const THIS = '20260101000061_sallyport_runs';

describe.skipIf(postgresMissing)('a database of the release before (needs the postgresql package)', () => {
  let server: PostgresService;
  let client: Client;
  beforeAll(async () => {
    server = (await startPostgres())!;
    client = await connect(server.url);
  });
  afterAll(async () => {
    await client.end();
    await server.close();
  });

  it('keeps its runs, its jobs and the rights of its roles through the migration', async () => {
    const files = await readMigrations(MIGRATIONS);
    const upTo = async (last: string) => {
      const session = await openPgSession(server.url);
      await migrate(
        session,
        files.slice(0, files.findIndex(({ name }) => name.startsWith(last)) + 1),
        options,
      );
      await session.close();
    };
    await upTo(files[files.findIndex(({ name }) => name.startsWith(THIS)) - 1]!.name);
    const [sync, cron] = [formerSync(client), formerCron(client)];
    const runId = randomUUID();
    await sync.acquire();
    await sync.create(runId);
    await cron.finish((await cron.claim(null))!);
    const before = [await sync.latest(), (await client.query('select * from sallyport_cron_leases')).rows];
    await client.query(`create role "the app"`);
    await client.query(`grant select, insert, update on sallyport_cron_leases to "the app"`);
    await client.query(`grant select, delete on sallyport_feature_runs to "the app"`);
    await upTo(THIS);
    const after = [await sync.latest(), (await client.query('select * from sallyport_cron_leases')).rows];
    // The order of columns is another, their values are not.
    expect(after).toEqual(before);
    const may = async (table: string) => {
      const asked = ['select', 'insert', 'update', 'delete'].map(
        (right) => `has_table_privilege('the app', '${table}', '${right}') as ${right}`,
      );
      const { rows } = await client.query<Record<string, boolean>>(`select ${asked.join()}`);
      return Object.keys(rows[0]!).filter((right) => rows[0]![right]);
    };
    expect(await may('sallyport_cron_leases')).toEqual(['select', 'insert', 'update']);
    expect(await may('sallyport_leases')).toEqual(['select', 'insert', 'update']);
    expect(await may('sallyport_feature_runs')).toEqual(['select', 'delete']);
    expect(await may('sallyport_runs')).toEqual(['select', 'delete']);
  });
});

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { sql, type Database } from '../../shared/ports/database.ts';
import { LeaseLost, openLease, renewed, withLease, type LeaseOptions } from '../../shared/runs/lease.ts';
import { bundled } from '../support/bundled.ts';
import { DATABASES, pausable, type MigratedDatabase } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';

const NAME = 'test of leases';
const HOUR = 3_600_000;
const AT_ONCE = { waitMs: 0, sleep: () => Promise.resolve() };
const WATCHDOG = { timeout: 600_000, interval: 20 };
const Writes = z.object({ writes: z.number() });
const Row = z.object({ token: z.number(), run_id: z.string(), left: z.number() });

describe.each(kindsOf(DATABASES))('a lease on $name', (kind) => {
  describe.skipIf(kind.missing)('', () => {
    let db: MigratedDatabase;
    beforeAll(async () => {
      db = await kind.start();
    });
    afterAll(() => db.close());
    beforeEach(() => db.database.execute(sql`delete from sallyport_leases`));

    const open = (options: Partial<LeaseOptions> = {}, database: Database = db.database) =>
      openLease(database, { name: NAME, ms: HOUR, ...options });
    const row = async () => {
      const rows = await db.database.query(
        sql`select token, run_id, (extract(epoch from expires_at - now()) * 1000)::float8 as left
            from sallyport_leases where name = ${NAME}`,
        Row,
      );
      return rows[0]!;
    };
    const runOut = () =>
      db.database.execute(sql`update sallyport_leases set expires_at = now() where name = ${NAME}`);

    it('is had by one of many who want it at once, and by another once it is given back', async () => {
      const contenders = Array.from({ length: 8 }, () => open({}, db.another()));
      const had = await Promise.all(contenders.map((lease) => lease.take({ runId: randomUUID() })));
      expect(had.filter(Boolean)).toHaveLength(1);
      expect(await contenders[had.indexOf(true)]!.release()).toBe(true);
      expect(await contenders[had.indexOf(false)]!.take({ runId: randomUUID() })).toBe(true);
    });

    it('refuses with the run that has it, after the wait that was asked for', async () => {
      const runId = randomUUID();
      await open().take({ runId });
      let waited = 0;
      const patience = {
        waitMs: 2_000,
        sleep: async (ms: number) => {
          waited += ms;
        },
      };
      const refused = withLease(open(), randomUUID(), patience, () => Promise.resolve());
      await expect(refused).rejects.toThrow(`another ${NAME} is running (run ${runId}): try again`);
      expect(waited).toBe(2_000);
    });

    it('that ran out goes to the next one, which the former neither renews nor writes beside nor ends', async () => {
      const [former, next] = [open(), open()];
      await former.take({ runId: randomUUID() });
      await runOut();
      await former.hold();
      await runOut();
      const runId = randomUUID();
      expect(await next.take({ runId })).toBe(true);
      const before = await row();
      await expect(former.hold()).rejects.toThrow(`another ${NAME} has taken over`);
      const write = former.write(sql`delete from sallyport_leases where exists (select from held)`);
      await expect(write).rejects.toBeInstanceOf(LeaseLost);
      expect(await former.release()).toBe(false);
      expect(await row()).toMatchObject({ run_id: runId, token: before.token });
      await next.hold();
    });

    it('has a number that grows with each taking, through releases too', async () => {
      const tokens: number[] = [];
      for (const end of ['given back', 'run out', 'given back']) {
        const lease = open();
        await lease.take({ runId: randomUUID() });
        tokens.push((await row()).token);
        await (end === 'run out' ? runOut() : lease.release());
      }
      expect(tokens).toEqual([1, 2, 3]);
    });

    it('is kept by its heartbeat through work that is longer than it, against others who want it', async () => {
      const lease = open({ ms: 1_500 });
      await withLease(lease, randomUUID(), AT_ONCE, async () => {
        const until = async () => performance.now() + (await row()).left;
        const first = await until();
        await vi.waitUntil(async () => (await until()) > first + 3_000, WATCHDOG);
        expect(await open().take({ runId: randomUUID() })).toBe(false);
      });
      expect(await open().take({ runId: randomUUID() })).toBe(true);
    });

    it('tells the work of a process that was paused for too long, as soon as it goes on', async () => {
      const process = pausable(db.another());
      const lease = open({ ms: 300 }, process.database);
      await lease.take({ runId: randomUUID() });
      const reason = renewed(lease, async (lost) => {
        process.pause();
        await runOut();
        expect(await open().take({ runId: randomUUID() })).toBe(true);
        process.goOn();
        return new Promise<unknown>((resolve) => {
          lost.addEventListener('abort', () => {
            resolve(lost.reason);
          });
        });
      });
      expect(await reason).toBeInstanceOf(LeaseLost);
    });

    it('lost to a stop (SIGSTOP) of its process ends its writes, to the last one', async () => {
      await db.database.execute(sql`create table test_writes (run_id uuid not null)`);
      const command = await bundled(fileURLToPath(new URL('holder.child.ts', import.meta.url)));
      const count = async () => {
        const [found] = await db.database.query(sql`select count(*) as writes from test_writes`, Writes);
        return found!.writes;
      };
      const child = command.spawn({}, db.url, NAME, randomUUID());
      const exited = once(child, 'exit');
      await vi.waitUntil(async () => (await count()) > 5, WATCHDOG);
      child.kill('SIGSTOP');
      const runId = randomUUID();
      await vi.waitUntil(() => open().take({ runId }), WATCHDOG);
      const before = await count();
      child.kill('SIGCONT');
      // By LeaseLost, and nothing else.
      expect(await exited).toEqual([75, null]);
      expect(await count()).toBe(before);
      expect(await row()).toMatchObject({ run_id: runId });
      await command.close();
    });

    it('outlives a database that is away for some of its heartbeats', async () => {
      let failures = 0;
      const flaky: Database = {
        ...db.database,
        execute: (statement) =>
          (failures += 1) <= 3 ? Promise.reject(new Error('away')) : db.database.execute(statement),
      };
      const lease = open({ ms: 60 }, flaky);
      await lease.take({ runId: randomUUID() });
      await renewed(lease, async (lost) => {
        await vi.waitUntil(() => failures > 4, { timeout: 600_000, interval: 5 });
        expect(lost.aborted).toBe(false);
      });
    });

    it('is given back when the work fails, and its failure is the one that is seen', async () => {
      const work = withLease(open(), randomUUID(), AT_ONCE, () => Promise.reject(new Error('the work')));
      await expect(work).rejects.toThrow('the work');
      expect(await open().take({ runId: randomUUID() })).toBe(true);
    });

    it('for a time of a schedule is given once, and never for one before', async () => {
      const at = (minute: number) => new Date(Date.UTC(2030, 0, 1, 10, minute));
      const served = async (due: Date | null) => {
        const lease = open();
        const had = await lease.take({ runId: randomUUID(), due });
        await lease.release();
        return had;
      };
      const wanted = [at(1), at(1), at(0), null, at(1), at(2)];
      const had: boolean[] = [];
      for (const due of wanted) had.push(await served(due));
      expect(had).toEqual([true, false, false, true, false, true]);
    });
  });
});

import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { Job } from '../../shared/runs/job.ts';
import { readStates } from '../../functions/cron/runs.ts';
import { openPgDatabase } from '../../shared/adapters/postgres/pg.ts';
import { sql } from '../../shared/ports/database.ts';
import { DATABASES, pausable, type MigratedDatabase } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';
import { at, gate, replica } from './support.ts';

const EVERY_MINUTE = '* * * * *';
const JOB = 'webhooks-apply';
const Run = z.object({ outcome: z.string().nullable(), detail: z.unknown(), ended: z.boolean() });

describe.each(kindsOf(DATABASES).map((kind) => [kind.name, kind] as const))('cron on %s', (_name, kind) => {
  describe.skipIf(kind.missing)('with several replicas', () => {
    let db: MigratedDatabase;
    beforeAll(async () => {
      db = await kind.start();
    });
    afterAll(() => db.close());
    beforeEach(() =>
      db.database.transaction([sql`delete from sallyport_cron_runs`, sql`delete from sallyport_leases`]),
    );
    const runs = () =>
      db.database.query(
        sql`select outcome, detail, finished_at is not null as ended from sallyport_cron_runs where job = ${JOB} order by started_at`,
        Run,
      );
    /** As if that much time had passed since the run began. */
    const age = (seconds: number) =>
      db.database.execute(
        sql`update sallyport_leases set expires_at = expires_at - make_interval(secs => ${seconds})`,
      );

    it('two replicas never run the same job at once', async () => {
      const [began, end] = [gate(), gate()];
      const busy = replica(db.another(), async () => {
        began.open();
        await end.opened;
        return { applied: 3 };
      });
      const other = replica(db.another(), async () => ({ applied: 0 }));
      const first = busy.cron.tick(EVERY_MINUTE, at('10:00:00'));
      await began.opened;
      expect((await other.cron.tick(EVERY_MINUTE, at('10:01:00')))[0]?.outcome).toBe('skipped');
      expect((await other.cron.run(JOB)).outcome).toBe('skipped');
      end.open();
      expect(await first).toMatchObject([{ outcome: 'done', detail: { applied: 3 } }]);
      expect((await other.cron.tick(EVERY_MINUTE, at('10:02:00')))[0]?.outcome).toBe('done');
    });

    it('each time of the schedule is served once, however many replicas wake for it', async () => {
      let served = 0;
      const replicas = Array.from({ length: 5 }, () =>
        replica(db.another(), async () => ({ served: (served += 1) })),
      );
      for (const time of ['10:00:00', '10:01:00', '10:02:00']) {
        await Promise.all(replicas.map(({ cron }) => cron.tick(EVERY_MINUTE, at(time))));
        for (const { cron } of replicas) await cron.tick(EVERY_MINUTE, at(time));
      }
      expect(served).toBe(3);
      expect(await runs()).toHaveLength(3);
    });

    it('the lease of a crashed run expires, and the run is recorded as lost', async () => {
      const [began, end] = [gate(), gate()];
      const process = pausable(db.another());
      const crashed = replica(process.database, async () => {
        began.open();
        await end.opened;
        return {};
      });
      const run = crashed.cron.tick(EVERY_MINUTE, at('10:00:00'));
      await began.opened;
      process.pause();
      const other = replica(db.another(), async () => ({}));
      expect((await other.cron.tick(EVERY_MINUTE, at('10:02:00')))[0]?.outcome).toBe('skipped');
      await age(30);
      expect((await other.cron.tick(EVERY_MINUTE, at('10:03:00')))[0]?.outcome).toBe('done');
      expect(await runs()).toEqual([
        { outcome: 'lost', detail: {}, ended: true },
        { outcome: 'done', detail: {}, ended: true },
      ]);
      end.open();
      process.goOn();
      await run;
    });

    it('a run that lost its lease gets the signal to stop', async () => {
      const began = gate();
      const process = pausable(db.another());
      const job: Job['run'] = async ({ signal }) => {
        process.pause();
        began.open();
        if (!signal.aborted) await once(signal, 'abort');
        return { stopped: String(signal.reason) };
      };
      const paused = replica(process.database, job, { leaseMs: 300 });
      const run = paused.cron.tick(EVERY_MINUTE, at('10:00:00'));
      await began.opened;
      await age(30);
      const other = replica(db.another(), async () => ({}));
      expect((await other.cron.tick(EVERY_MINUTE, at('10:01:00')))[0]?.outcome).toBe('done');
      process.goOn();
      const stopped = 'LeaseLost: another webhooks-apply has taken over';
      expect(await run).toMatchObject([{ detail: { stopped } }]);
    });

    it('a run that outlived its lease neither ends the next one’s lease nor changes what is recorded of it', async () => {
      const [began, end] = [gate(), gate()];
      const process = pausable(db.another());
      const slow = replica(process.database, async () => {
        began.open();
        await end.opened;
        return {};
      });
      const late = slow.cron.tick(EVERY_MINUTE, at('10:00:00'));
      await began.opened;
      process.pause();
      await age(30);
      const [nextBegan, nextEnd] = [gate(), gate()];
      const next = replica(db.another(), async () => {
        nextBegan.open();
        await nextEnd.opened;
        return {};
      });
      const following = next.cron.tick(EVERY_MINUTE, at('10:03:00'));
      await nextBegan.opened;
      process.goOn();
      end.open();
      await late;
      expect(slow.lines.map(({ message }) => message)).toContain('cron job outlived its lease');
      expect((await slow.cron.run(JOB)).outcome).toBe('skipped');
      nextEnd.open();
      await following;
      expect((await runs()).map(({ outcome }) => outcome)).toEqual(['lost', 'done']);
    });

    it('a failure is recorded with its reason, logged, and does not keep the job from its next time', async () => {
      let broken = true;
      const { cron, lines, gauge } = replica(db.another(), async () => {
        if (broken) throw new TypeError('OpenFGA said no');
        return { applied: 1 };
      });
      expect((await cron.tick(EVERY_MINUTE, at('10:00:00')))[0]?.outcome).toBe('failed');
      expect(lines).toContainEqual({
        message: 'cron job failed',
        job: JOB,
        reason: 'TypeError: OpenFGA said no',
      });
      expect((await gauge()).has(JOB)).toBe(false);
      broken = false;
      await cron.tick(EVERY_MINUTE, at('10:01:00'));
      expect(await runs()).toEqual([
        { outcome: 'failed', detail: { error: 'TypeError: OpenFGA said no' }, ended: true },
        { outcome: 'done', detail: { applied: 1 }, ended: true },
      ]);
    });

    it('every replica shows when a job last ended well, whoever ran it', async () => {
      const worker = replica(db.another(), async () => ({}));
      const idle = replica(db.another(), async () => ({}));
      await worker.cron.tick(EVERY_MINUTE, at('10:00:00'));
      await idle.cron.tick(EVERY_MINUTE, at('10:00:00'));
      const [state] = await readStates(db.database);
      expect(state?.last_success_at).toBeInstanceOf(Date);
      expect((await idle.gauge()).get(JOB)).toBe(state!.last_success_at!.getTime() / 1000);
    });

    it('a preview takes no lease, records nothing and tells the job so', async () => {
      const { cron } = replica(db.another(), async ({ dryRun }) => ({ dryRun }));
      expect(await cron.preview(JOB)).toEqual({ dryRun: true });
      expect(await readStates(db.database)).toEqual([]);
      expect(await runs()).toEqual([]);
    });

    it('a run is told to stop when its time is used up, and when the process ends', async () => {
      const stopped: Job['run'] = async ({ signal }) => {
        if (!signal.aborted) await once(signal, 'abort');
        return { stopped: true };
      };
      const hasty = replica(db.another(), stopped, { budgetMs: 1 });
      expect(await hasty.cron.run(JOB)).toMatchObject({ outcome: 'done', detail: { stopped: true } });
      const began = gate();
      const ending = replica(db.another(), (run) => {
        began.open();
        return stopped(run);
      });
      const run = ending.cron.run(JOB);
      await began.opened;
      await ending.cron.close();
      expect(await run).toMatchObject({ outcome: 'done' });
      expect((await runs()).every(({ ended }) => ended)).toBe(true);
    });

    it('runs older than two weeks are forgotten', async () => {
      const { cron } = replica(db.another(), async () => ({}));
      await cron.run(JOB);
      await db.database.execute(sql`update sallyport_cron_runs set started_at = now() - interval '15 days'`);
      await cron.run(JOB);
      expect(await runs()).toHaveLength(1);
    });

    it('a database that is away fails the run without ending the process', async () => {
      const gone = openPgDatabase({ url: db.url });
      await gone.close();
      const { cron, lines } = replica(gone, async () => ({}));
      expect((await cron.tick(EVERY_MINUTE, at('10:00:00')))[0]?.outcome).toBe('failed');
      expect(lines.map(({ message }) => message)).toEqual(['cron job not recorded']);
    });
  });
});

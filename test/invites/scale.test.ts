/** A wave of many people: in full 100,000, else a small form of the same. */
import { describe, expect, it } from 'vitest';
import { PAGE } from '../../shared/invitations/cohort.ts';
import { startWave } from '../../shared/invitations/start.ts';
import { cancelWave, findWave } from '../../shared/invitations/waves.ts';
import { sql } from '../../shared/ports/database.ts';
import { DATABASE } from '../support/databases.ts';
import { times } from '../support/scale.ts';
import { BY, setWaves } from './stage.ts';

const PEOPLE = times(30_000, 500);

/** Pages are of one size, so that more people are only more of them. */
const TAKEN = times(100_000, 12_000);
const PAGES = Math.floor(TAKEN / PAGE) + 1;

describe('a wave of many people', () => {
  const w = setWaves(DATABASE);

  const timeout = times(3_600_000, 600_000);
  it(
    `takes ${TAKEN} people in ${PAGES} pages, each of the same size, and counts them as it takes them`,
    { timeout },
    async () => {
      const acme = await w.stage.tenant('acme');
      await w.stage.people('acme', TAKEN - 10);
      await w.stage.tenant('birch');
      await w.stage.people('birch', 10);
      const half = Math.floor(TAKEN / 2);
      expect(await w.counted()).toMatchObject({ people: TAKEN });
      expect(await w.counted({ limit: half })).toMatchObject({
        people: half,
        leftOut: { over_limit: TAKEN - half },
      });
      const birch = await w.stage.plan('birch', { cohort: { tenants: [acme] } });
      const pages: number[] = [];
      const taken = await startWave(w.db.database, birch, BY, { onTaken: (people) => pages.push(people) });
      expect(taken).toBe(TAKEN - 10);
      expect(pages).toEqual(Array.from({ length: pages.length }, (_none, n) => (n + 1) * PAGE));
      expect(await startWave(w.db.database, await w.stage.plan('rest'), BY)).toBe(10);
      await cancelWave(w.db.database, birch, BY);
      const all = await w.stage.plan('half', { cohort: { limit: half } });
      expect(await startWave(w.db.database, all, BY)).toBe(half);
      expect(
        await w.count(
          sql`select count(*)::int as count from sallyport_invitations where wave_id = ${all.id}::uuid and ended_at is null`,
        ),
      ).toBe(half);
      // Looked through by the first round, range by range.
      await w.db.database.execute(
        sql`update users set migration_completed_at = now() where tenant_id = ${acme}::uuid`,
      );
      await w.db.database.execute(sql`update sallyport_waves set state = 'done' where name = 'rest'`);
      const across = await w.count(sql`select count(*)::int as count from sallyport_invitations i
      join users u on u.user_id = i.user_id where i.ended_at is null and u.tenant_id = ${acme}::uuid`);
      expect(across).toBeGreaterThan(half - 11);
      expect(await w.stage.drive()).toMatchObject({ ended: across });
    },
  );

  it(`mails each of ${PEOPLE} once, in batches`, async () => {
    await w.stage.tenant('acme');
    await w.stage.people('acme', PEOPLE);
    const wave = await w.stage.plan('all', { remind: '7d,-3d' });
    expect(await startWave(w.db.database, wave, BY)).toBe(PEOPLE);
    let invited = 0;
    for (let round = 0; invited < PEOPLE; round += 1) {
      const driven = await w.stage.drive();
      if (driven === 'paused' || driven.invited === 0) break;
      invited += driven.invited;
      // As if it had been sent.
      await w.db.database.execute(
        sql`update sallyport_outbox set status = 'sent', finished_at = now(), content = null where status = 'pending'`,
      );
    }
    await w.stage.drive();
    expect(invited).toBe(PEOPLE);
    expect(await w.count(sql`select count(*)::int as count from sallyport_outbox`)).toBe(PEOPLE);
    expect(await w.count(sql`select count(distinct recipient)::int as count from sallyport_outbox`)).toBe(
      PEOPLE,
    );
    expect(
      await w.count(
        sql`select count(*)::int as count from sallyport_invitations where mailed_at is not null`,
      ),
    ).toBe(PEOPLE);
    expect((await findWave(w.db.database, 'all'))?.state).toBe('running');
  });
});

/** Who is in a wave, and when it starts: on a real Postgres. */
import { describe, expect, it } from 'vitest';
import { cancelWave, findWave, startWave } from '../../shared/invitations/waves.ts';
import { sql } from '../../shared/ports/database.ts';
import { DATABASES } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';
import { BY, setWaves, waveStage } from './stage.ts';

describe.each(kindsOf(DATABASES))('the people of a wave on $name', (kind) => {
  describe.skipIf(kind.missing)('', () => {
    const w = setWaves(kind);

    it('takes whom the options name and leaves out the others, each for one reason, as it counted before', async () => {
      const acme = await w.stage.tenant('acme');
      await w.stage.tenant('birch');
      for (const [email, options] of [
        ['dual@acme.example.org', {}],
        ['admin@acme.example.org', { role: 'admin' }],
        ['suspended@acme.example.org', { status: 'suspended' }],
        ['new@acme.example.org', { provisioned: false }],
      ] as const)
        await w.stage.person('acme', email, options);
      const across = await w.stage.person('acme', 'across@acme.example.org');
      const excluded = await w.stage.person('acme', 'excluded@acme.example.org');
      const gone = await w.stage.person('acme', 'gone@acme.example.org');
      await w.stage.person('birch', 'dual@birch.example.org');
      await w.db.database.execute(
        sql`update users set migration_completed_at = now() where user_id = ${across}`,
      );
      await w.db.database.execute(sql`update users set deleted_at = now() where user_id = ${gone}`);
      await w.db.database.execute(
        sql`insert into sallyport_people (user_id, excluded_at, excluded_reason) values (${excluded}, now(), 'left')`,
      );
      const before = await w.counted({ tenants: [acme] });
      expect(before).toEqual({
        people: 2,
        unmailable: 0,
        tenants: [{ tenant: 'acme', people: 2 }],
        leftOut: {
          ...{
            inactive: 1,
            completed: 1,
            excluded: 1,
            in_another_wave: 0,
            not_provisioned: 1,
            over_limit: 0,
          },
        },
      });
      await w.stage.begin('acme first', { cohort: { tenants: [acme] } });
      expect(await w.peopleOf('acme first')).toEqual(['admin@acme.example.org', 'dual@acme.example.org']);
      expect(await w.counted()).toMatchObject({ people: 1, leftOut: { in_another_wave: 2 } });
      expect(await w.counted({ role: 'admin' })).toMatchObject({
        people: 0,
        leftOut: { in_another_wave: 1 },
      });
      expect(await w.counted({ tenants: [acme] }, true)).toMatchObject({ people: 1 });
      await w.stage.run();
      expect(w.mailed()).toEqual(['admin@acme.example.org', 'dual@acme.example.org']);
    });

    it('10 % of all are among 20 %, which are among 50 %, and --limit takes the first of them', async () => {
      await w.stage.tenant('acme');
      await w.stage.people('acme', 400);
      const taken: (readonly (string | null)[])[] = [];
      for (const percent of [10, 20, 50]) {
        await w.stage.begin(`p${percent}`, { cohort: { percent } });
        taken.push(await w.peopleOf(`p${percent}`));
        await cancelWave(w.db.database, (await findWave(w.db.database, `p${percent}`))!, BY);
      }
      const [ten = [], twenty = [], fifty = []] = taken;
      expect(ten.length).toBeGreaterThan(10);
      expect(twenty.length).toBeGreaterThan(ten.length);
      expect(fifty.length).toBeGreaterThan(120);
      expect(fifty.length).toBeLessThan(280);
      expect(ten.every((each) => twenty.includes(each))).toBe(true);
      expect(twenty.every((each) => fifty.includes(each))).toBe(true);
      expect(await w.counted({ limit: 5 })).toMatchObject({ people: 5, leftOut: { over_limit: 395 } });
      await w.stage.begin('five', { cohort: { percent: 10, limit: 5 } });
      expect(await w.peopleOf('five')).toHaveLength(5);
      expect((await w.peopleOf('five')).every((each) => ten.includes(each))).toBe(true);
    });

    it('who signed in lately, by the time of the start', async () => {
      await w.stage.tenant('acme');
      const [lately, before] = [
        await w.stage.person('acme', 'a@example.org'),
        await w.stage.person('acme', 'b@example.org'),
      ];
      await w.stage.person('acme', 'never@example.org');
      await w.db.database.execute(
        sql`update users set last_login_at = now() - interval '10 days' where user_id = ${lately}`,
      );
      await w.db.database.execute(
        sql`update users set last_login_at = now() - interval '99 days' where user_id = ${before}`,
      );
      await w.stage.begin('active', { cohort: { activeWithinMs: 90 * 86_400_000 } });
      expect(await w.peopleOf('active')).toEqual(['a@example.org']);
    });

    it('starts by itself at its time and not before, once, whichever of two instances is first, and is fixed then', async () => {
      await w.stage.tenant('acme');
      await w.stage.people('acme', 20);
      await w.stage.plan('later', { startAt: new Date(Date.now() + 3_600_000) });
      expect(await w.stage.drive()).toMatchObject({ started: 0, invited: 0 });
      await w.db.database.execute(sql`update sallyport_waves set start_at = now() - interval '1 second'`);
      const other = waveStage(w.db.another(), w.smtp.port);
      const runs = await Promise.all([w.stage.drive(), other.drive(), w.stage.drive(), other.drive()]);
      const started = runs.map((each) => (each === 'paused' ? 0 : each.started));
      expect(started.toSorted()).toEqual([0, 0, 0, 1]);
      await w.stage.people('acme', 5, 21);
      await w.stage.run();
      expect(w.mailed()).toHaveLength(20);
      expect(new Set(w.mailed()).size).toBe(20);
      expect(
        await w.texts(
          sql`select detail ->> 'change' as text from sallyport_audit where what = 'wave' order by id`,
        ),
      ).toEqual(['created', 'started']);
    });

    it('nobody is in two waves, also when both start at the same moment', async () => {
      await w.stage.tenant('acme');
      await w.stage.people('acme', 60);
      const one = await w.stage.plan('one');
      const two = await w.stage.plan('two');
      const started = await Promise.all([
        startWave(w.db.database, one, BY),
        startWave(w.db.another(), two, BY),
      ]);
      expect((started[0] ?? 0) + (started[1] ?? 0)).toBe(60);
      await w.stage.run();
      expect(w.mailed()).toHaveLength(60);
      expect(new Set(w.mailed()).size).toBe(60);
    });
  });
});

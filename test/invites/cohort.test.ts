/** Who is in a wave, and when it starts: on a real Postgres. Long because one database serves all of it. */
import { describe, expect, it } from 'vitest';
import { isMailAddress } from '../../shared/configuration/mail.ts';
import { startWave } from '../../shared/invitations/start.ts';
import { cancelWave, findWave } from '../../shared/invitations/waves.ts';
import { DatabaseUnavailable, sql } from '../../shared/ports/database.ts';
import { DATABASES } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';
import { Cut, cutAt } from '../support/cut-off.ts';
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

    it('are taken page by page: a start that is cut off anywhere goes on, with nobody twice and nobody who came meanwhile', async () => {
      await w.stage.tenant('acme');
      await w.stage.people('acme', 40);
      for (const when of ['before', 'after'] as const) {
        const plan = await w.stage.plan(when);
        for (let number = 1; (await w.stage.state(when)) !== 'running'; number += 1) {
          const now = (await findWave(w.db.database, when))!;
          await startWave(cutAt(w.db.database, (number % 4) + 2, when), now, BY, { pageSize: 7 }).catch(
            (error: unknown) => {
              if (!(error instanceof Cut || error instanceof DatabaseUnavailable)) throw error;
            },
          );
          if (number !== 2) continue;
          expect(await w.stage.state(when)).toBe('starting');
          await w.stage.people('acme', 5, when === 'before' ? 41 : 46);
        }
        const people = await w.peopleOf(when);
        expect(people).toHaveLength(when === 'before' ? 40 : 45);
        expect(new Set(people).size).toBe(people.length);
        expect((await findWave(w.db.database, when))?.taken).toBe(people.length);
        expect(
          await w.texts(
            sql`select detail ->> 'change' as text from sallyport_audit where detail ->> 'wave' = ${when} order by id`,
          ),
        ).toEqual(['created', 'started']);
        await cancelWave(w.db.database, plan, BY);
      }
      expect(w.mailed()).toEqual([]);
    });

    it('are not mailed before all of them are taken, and another wave that starts meanwhile leaves them alone', async () => {
      await w.stage.tenant('acme');
      await w.stage.people('acme', 30);
      const one = await w.stage.plan('one', { startAt: new Date(Date.now() + 3_600_000) });
      let pages = 0;
      await startWave(w.db.database, one, BY, { pageSize: 10, goesOn: () => (pages += 1) <= 1 });
      expect(await findWave(w.db.database, 'one')).toMatchObject({ state: 'starting', taken: 10 });
      expect(await w.counted()).toMatchObject({ people: 20, leftOut: { in_another_wave: 10 } });
      expect(await startWave(w.db.database, await w.stage.plan('two'), BY)).toBe(20);
      await w.stage.drive();
      expect(await w.stage.state('one')).toBe('running');
      await w.stage.run();
      expect(w.mailed()).toHaveLength(30);
      expect(new Set(w.mailed()).size).toBe(30);
    });

    it('of several processes that start it at a time, all of them are taken once', async () => {
      await w.stage.tenant('acme');
      await w.stage.people('acme', 100);
      const wave = await w.stage.plan('one');
      const begun = await startWave(w.db.database, wave, BY, { pageSize: 9, goesOn: () => false });
      expect(begun).toBeUndefined();
      const starting = (await findWave(w.db.database, 'one'))!;
      const ended = await Promise.all(
        Array.from({ length: 4 }, () => startWave(w.db.another(), starting, BY, { pageSize: 9 })),
      );
      expect(ended.filter((people) => people !== undefined)).toEqual([100]);
      expect(await w.peopleOf('one')).toHaveLength(100);
    });

    it('that is cancelled while it starts takes nobody more, and frees who was taken', async () => {
      await w.stage.tenant('acme');
      await w.stage.people('acme', 30);
      const one = await w.stage.plan('one');
      let pages = 0;
      await startWave(w.db.database, one, BY, { pageSize: 10, goesOn: () => (pages += 1) <= 1 });
      const starting = (await findWave(w.db.database, 'one'))!;
      expect(starting).toMatchObject({ state: 'starting', taken: 10 });
      expect(await cancelWave(w.db.another(), one, BY)).toBe(true);
      expect(await startWave(w.db.database, starting, BY, { pageSize: 10 })).toBeUndefined();
      expect(await findWave(w.db.database, 'one')).toMatchObject({ state: 'cancelled', taken: 10 });
      expect(await w.counted()).toMatchObject({ people: 30, leftOut: { in_another_wave: 0 } });
    });

    it('under a limit are those with the lowest lots, whatever the pages, and never one too many', async () => {
      await w.stage.tenant('acme');
      await w.stage.people('acme', 60);
      const lowest = await w.texts(sql`select email as text from users u order by
        ('x' || substr(encode(sha256(convert_to(u.user_id::text, 'UTF8')), 'hex'), 1, 8))::bit(32)::bigint, user_id`);
      for (const [limit, size] of [
        [1, 7],
        [59, 7],
        [60, 60],
        [17, 1_000],
      ] as const) {
        const wave = await w.stage.plan(`${limit}`, { cohort: { limit } });
        expect(await startWave(w.db.database, wave, BY, { pageSize: size })).toBe(limit);
        expect(await w.peopleOf(`${limit}`)).toEqual(lowest.slice(0, limit).toSorted());
        await cancelWave(w.db.database, wave, BY);
      }
      const wave = await w.stage.plan('late', { cohort: { limit: 5 } });
      await startWave(w.db.database, wave, BY, { pageSize: 7, goesOn: () => false });
      // As if many more had been left out when the limit was measured.
      await w.db.database.execute(sql`update sallyport_waves set cut = null where state = 'starting'`);
      const starting = (await findWave(w.db.database, 'late'))!;
      expect(await startWave(w.db.database, starting, BY, { pageSize: 7 })).toBe(5);
    });

    it('get no mail where SMTP takes no such address, as the configuration judges addresses', async () => {
      await w.stage.tenant('acme');
      const local = [
        'a',
        'a.b',
        '.a',
        'a.',
        'a..b',
        'a b',
        'a"b',
        'ü',
        '',
        'x'.repeat(64),
        'x'.repeat(65),
        'a@b',
        'a\\b',
      ];
      const emails = [
        ...local.map((each) => `${each}@example.org`),
        'a',
        'a@',
        'a@.org',
        'a@org.',
        `a@${'d'.repeat(190)}`,
      ];
      for (const email of emails) await w.stage.person('acme', email);
      const usable = emails.filter(isMailAddress);
      expect(usable).toHaveLength(5);
      expect(await w.counted()).toMatchObject({
        people: emails.length,
        unmailable: emails.length - usable.length,
      });
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

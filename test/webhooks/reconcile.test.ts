import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { reconcile } from '../../functions/webhooks/reconcile/reconcile.ts';
import { readCursor } from '../../functions/webhooks/reconcile/store.ts';
import { sql } from '../../shared/ports/database.ts';
import { ProviderUnavailable } from '../../shared/errors.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';
import { instance, START, type Instance, type InstanceOptions } from './reconcile-support.ts';

/** Long because all of it needs one migrated database of each kind. */

const Stored = z.object({
  subject: z.string(),
  sequence: z.number(),
  source: z.string(),
  payload: z.unknown(),
});
const SEARCH = 'POST /admin/v1/events/_search';

describe.each(kindsOf(DATABASES).map((kind) => [kind.name, kind] as const))(
  'reconcile on %s',
  (_name, kind) => {
    describe.skipIf(kind.missing)('with an inbox', () => {
      let db: MigratedDatabase;
      let serial = 0;
      beforeAll(async () => {
        db = await kind.start();
      });
      afterAll(() => db.close());
      beforeEach(() => db.database.execute(sql`delete from sallyport_webhook_events`));

      const open = (options: Partial<InstanceOptions> = {}): Instance & { readonly id: string } => {
        const id = `instance-${(serial += 1)}`;
        return { id, ...instance({ id, database: db.database, ...options }) };
      };
      const inbox = () =>
        db.database.query(
          sql`select subject, sequence, source, payload from sallyport_webhook_events order by subject, sequence`,
          Stored,
        );

      it('stores what was not delivered, once, and nothing that was', async () => {
        const { users, deliveries, reconcile } = open({ delivers: true });
        const delivered = users.create({ userName: 'ada', id: 'ada' });
        await deliveries.settled();
        const silent = instance({ id: 'other', database: db.database, delivers: false });
        silent.users.create({ userName: 'bob', id: 'bob' });
        silent.users.lock('bob');
        expect(await reconcile()).toMatchObject({ compared: 1, missed: [], unusable: 0, complete: true });
        expect(await silent.reconcile()).toMatchObject({
          compared: 2,
          missed: [
            { subject: 'bob', sequence: 1, type: 'user.human.added' },
            { subject: 'bob', sequence: 3, type: 'user.locked' },
          ],
        });
        expect((await silent.reconcile()).missed).toEqual([]);
        expect((await inbox()).map(({ subject, sequence, source }) => [subject, sequence, source])).toEqual([
          [delivered.id, 1, 'event'],
          ['bob', 1, 'reconcile'],
          ['bob', 3, 'reconcile'],
        ]);
      });

      it('keeps no password hash of an event it stores', async () => {
        const { users, reconcile } = open({ delivers: false });
        users.create({ userName: 'ada' });
        await reconcile();
        const [row] = await inbox();
        expect(row?.payload).toMatchObject({ userName: 'ada', email: 'ada@example.org' });
        expect(JSON.stringify(row)).not.toContain('$2a$');
      });

      it('a delivery that comes after all is a duplicate', async () => {
        const { users, deliveries, reconcile } = open({ seed: 3 });
        for (let number = 0; number < 10; number++)
          users.create({ userName: `user${number}`, id: `u${number}` });
        await deliveries.settled();
        const { missed } = await reconcile();
        expect(missed.length).toBeGreaterThan(0);
        await deliveries.flush();
        expect(await inbox()).toHaveLength(10);
      });

      it('only says what it would store when asked to, and goes nowhere', async () => {
        const { id, users, reconcile } = open({ delivers: false });
        users.create({ userName: 'ada' });
        expect((await reconcile({ dryRun: true })).missed).toHaveLength(1);
        expect(await inbox()).toEqual([]);
        expect(await readCursor(db.database, id)).toBeUndefined();
      });

      it('goes on where it ended, with an overlap for what was committed late', async () => {
        const { id, users, asked, reconcile } = open({ delivers: false });
        users.create({ userName: 'ada', id: 'ada' });
        const first = await reconcile();
        expect(first.since).toEqual(new Date(START + 1_000 - 3_600_000));
        expect(await readCursor(db.database, id)).toEqual(new Date(START + 1_000));
        const late = await db.database.execute(
          sql`delete from sallyport_webhook_events where subject = 'ada'`,
        );
        expect(late).toBe(1);
        users.create({ userName: 'bob', id: 'bob' });
        const second = await reconcile();
        expect(second.since).toEqual(new Date(START + 1_000 - 300_000));
        expect(second.missed.map(({ subject }) => subject)).toEqual(['ada', 'bob']);
        expect(asked.filter((line) => line === SEARCH)).toHaveLength(2);
      });

      it('a run over a time of its own choice leaves the regular one where it was', async () => {
        const { id, users, reconcile } = open({ delivers: false });
        users.create({ userName: 'ada', id: 'ada' });
        users.create({ userName: 'bob', id: 'bob' });
        const run = await reconcile({ since: new Date(START + 1_500) });
        expect(run.missed.map(({ subject }) => subject)).toEqual(['bob']);
        expect(await readCursor(db.database, id)).toBeUndefined();
        expect((await reconcile()).missed.map(({ subject }) => subject)).toEqual(['ada']);
      });

      it('pages through more events than one answer holds, even where many share a second', async () => {
        for (const stepMs of [1, 1_000]) {
          const { users, reconcile, asked } = open({ delivers: false, stepMs });
          for (let number = 0; number < 250; number++)
            users.create({ userName: `user${number}`, id: `u${stepMs}-${number}` });
          expect((await reconcile()).missed).toHaveLength(250);
          expect(asked.length).toBeGreaterThan(3);
        }
        expect(await inbox()).toHaveLength(500);
      });

      it('says so when more events share one moment than an answer holds, instead of leaving some out', async () => {
        const { users, reconcile } = open({ delivers: false, stepMs: 0 });
        for (let number = 0; number < 201; number++) users.create({ userName: `user${number}` });
        await expect(reconcile()).rejects.toThrow(ProviderUnavailable);
      });

      it('stops after a whole page when its time is used up, and goes on from there', async () => {
        const { users, reconcile } = open({ delivers: false });
        for (let number = 0; number < 250; number++) users.create({ userName: `user${number}` });
        const aborted = AbortSignal.abort();
        expect(await reconcile({ signal: aborted })).toMatchObject({ compared: 0, complete: false });
        const stop = new AbortController();
        const run = reconcile({ signal: stop.signal });
        stop.abort();
        expect((await run).complete).toBe(false);
        expect((await reconcile()).complete).toBe(true);
        expect(await inbox()).toHaveLength(250);
      });

      it('one event that cannot be stored does not hold up the others', async () => {
        const { users, reconcile, warnings } = open({ delivers: false });
        users.create({ userName: 'odd', id: 'kanidm|admin' });
        users.create({ userName: 'ada', id: 'ada' });
        expect(await reconcile()).toMatchObject({ compared: 2, unusable: 1, missed: [{ subject: 'ada' }] });
        expect(warnings).toEqual([
          {
            sequence: '1',
            type: 'user.human.added',
            reason: expect.stringContaining('aggregateID') as unknown,
          },
        ]);
      });

      it.each([
        ['a date that Postgres cannot store', { creationDate: '0000-01-01T00:00:00Z' }],
        ['no date that is one', { creationDate: 'soon' }],
        ['a sequence that is none', { sequence: [7] }],
        ['no aggregate', { aggregate: null }],
        ['a type of another shape', { type: 'user.locked' }],
      ])('an event with %s hides none of the others', async (_, change) => {
        const { users, deps } = open({ delivers: false });
        users.create({ userName: 'odd', id: 'odd' });
        users.create({ userName: 'ada', id: 'ada' });
        const fetch: typeof deps.fetch = async (url, init) => {
          const answer = await deps.fetch(url, init);
          if (!url.endsWith('/_search')) return answer;
          const { events } = z
            .object({ events: z.array(z.record(z.string(), z.unknown())) })
            .parse(await answer.json());
          return Response.json({
            events: events.map((event, at) => (at === 0 ? { ...event, ...change } : event)),
          });
        };
        const options = { dryRun: false, signal: new AbortController().signal };
        expect(await reconcile({ ...deps, fetch }, options)).toMatchObject({
          unusable: 1,
          missed: [{ subject: 'ada' }],
        });
      });

      it('an event dated an hour ahead is found, and moves nothing: later ones are found too', async () => {
        const { id, users, clock, reconcile } = open({ delivers: false, start: Date.now() - 60_000 });
        users.create({ userName: 'ada', id: 'ada' });
        clock.ahead(3_600_000, () => users.lock('ada'));
        expect((await reconcile()).missed.map(({ type }) => type)).toEqual([
          'user.human.added',
          'user.locked',
        ]);
        expect((await readCursor(db.database, id))!.getTime()).toBeLessThanOrEqual(Date.now());
        users.create({ userName: 'bob', id: 'bob' });
        expect((await reconcile()).missed.map(({ subject }) => subject)).toEqual(['bob']);
      });

      it('hundreds of events dated ahead hide none of those that are not, in the same run', async () => {
        const { id, users, clock, reconcile } = open({
          delivers: false,
          start: Date.now() - 600_000,
          stepMs: 10,
        });
        clock.ahead(3_600_000, () => {
          for (let number = 0; number < 210; number++)
            users.create({ userName: `ahead${number}`, id: `ahead${number}` });
        });
        for (let number = 0; number < 210; number++)
          users.create({ userName: `now${number}`, id: `now${number}` });
        await reconcile();
        expect((await inbox()).filter(({ subject }) => subject.startsWith('now'))).toHaveLength(210);
        expect((await readCursor(db.database, id))!.getTime()).toBeLessThanOrEqual(Date.now());
      });

      it('events whose dates run backwards within a run are all found', async () => {
        const { users, clock, reconcile } = open({ delivers: false, stepMs: 10 });
        for (const ahead of [1_800_000, 900_000, 0])
          clock.ahead(ahead, () => {
            for (let number = 0; number < 80; number++)
              users.create({ userName: `u${number}`, id: `back${ahead}-${number}` });
          });
        expect((await reconcile()).missed).toHaveLength(240);
      });

      it('a cursor that an earlier release moved ahead is not believed', async () => {
        const { id, users, reconcile } = open({ delivers: false, start: Date.now() - 60_000 });
        await db.database.execute(
          sql`insert into sallyport_reconcile_cursors (instance_id, seen_until) values (${id}, now() + interval '1 year')`,
        );
        users.create({ userName: 'ada', id: 'ada' });
        expect((await reconcile()).missed.map(({ subject }) => subject)).toEqual(['ada']);
        expect((await readCursor(db.database, id))!.getTime()).toBeLessThanOrEqual(Date.now());
      });

      it('events of one push share their moment, and none is passed over at the border of two runs', async () => {
        const { users, reconcile } = open({ delivers: false, stepMs: 0 });
        users.create({ userName: 'ada', id: 'ada' });
        const { missed } = await reconcile();
        users.lock('ada');
        expect([...missed, ...(await reconcile()).missed].map(({ type }) => type)).toEqual([
          'user.human.added',
          'user.locked',
        ]);
      });

      it('a refused token is said without the token, and changes nothing', async () => {
        const token = 'wrong-service-token';
        const { users, reconcile } = open({ delivers: false, token });
        users.create({ userName: 'ada' });
        const error = await reconcile().catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(ProviderUnavailable);
        expect(String(error)).toContain('status 401');
        expect(String(error)).not.toContain(token);
        expect(await inbox()).toEqual([]);
      });
    });
  },
);

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { identitiesOf } from '../../shared/identity/identities.ts';
import { requeue } from '../../functions/webhooks/inbox/manage.ts';
import { sql } from '../../shared/ports/database.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { createEngine, granted, keyOf, type Engine } from './engine.ts';
import { instance } from './reconcile-support.ts';
import { kindsOf } from '../support/scale.ts';
import { empty, mirrorOf } from './tables.ts';

const Pending = z.object({ subject: z.string(), type: z.string(), status: z.string() });

/** Lives that end otherwise than by one `user.removed`, and that begin again. */
describe.each(kindsOf(DATABASES))('lives over $name', ({ missing, start }) => {
  describe.skipIf(missing)('as events tell of them', () => {
    let db: MigratedDatabase;
    let engine: Engine;
    beforeAll(async () => {
      db = await start();
    });
    afterAll(() => db.close());
    beforeEach(async () => {
      await empty(db.database);
      engine = createEngine(db.database);
    });

    const happen = async (...events: Parameters<Engine['arrive']>[0][]) => {
      for (const event of events) {
        await engine.arrive(event);
        await engine.settle();
      }
    };
    const stateOf = async (user: string) => (await mirrorOf(user, db.database))[0]?.state;
    const marked = () => [...engine.revocations.marked].filter((caller) => !caller.includes('|org:')).sort();
    const events = () =>
      db.database.query(
        sql`select subject, type, status from sallyport_webhook_events order by subject, type`,
        Pending,
      );
    const doomed = { user: 'doomed', organization: 'doomed', type: 'org.removed', sequence: 7 };

    it('everybody of a removed organisation is refused and keeps no tuple, and nobody else', async () => {
      await happen(
        { user: 'ann', organization: 'doomed' },
        { user: 'ben', organization: 'doomed' },
        { user: 'ben', organization: 'doomed', sequence: 2, type: 'user.locked' },
        { user: 'cleo', organization: 'org1' },
        { user: 'doomed', organization: 'org1' },
      );
      engine.tuples.all.add(keyOf({ user: 'user:ann', relation: 'owner', object: 'document:1' }));
      await happen(doomed);
      expect(engine.revocations.marked).toContain('zitadel|org:doomed');
      expect(marked()).toEqual(['zitadel|ann', 'zitadel|ben']);
      expect([...engine.tuples.all].sort()).toEqual(granted('cleo', 'doomed'));
      expect(await Promise.all(['ann', 'ben', 'cleo', 'doomed'].map(stateOf))).toEqual([
        'removed',
        'removed',
        'active',
        'active',
      ]);
      expect((await events()).filter(({ type }) => type === 'org.removed.user')).toEqual([
        { subject: 'ann', type: 'org.removed.user', status: 'applied' },
        { subject: 'ben', type: 'org.removed.user', status: 'applied' },
      ]);
    });

    it('everybody is refused before the first sweep, which OpenFGA may delay', async () => {
      await happen({ user: 'ann', organization: 'doomed' }, { user: 'ben', organization: 'doomed' });
      engine.tuples.away = true;
      await happen(doomed);
      expect(marked()).toEqual(['zitadel|ann', 'zitadel|ben']);
      engine.tuples.away = false;
      engine.clock.advance(600);
      await engine.settle();
      expect([...engine.tuples.all]).toEqual([]);
    });

    it('more people than one page holds are removed with their organisation', async () => {
      await db.database.execute(sql`
        insert into sallyport_identities (issuer, subject, organization, organization_position, updated_at)
        select 'zitadel', 'many' || n, 'doomed', 1, now() from generate_series(1, 450) as n`);
      await happen(doomed);
      expect(marked().length).toBe(450);
      expect((await events()).filter(({ status }) => status !== 'applied')).toEqual([]);
    });

    it('the removal applied again removes nobody twice', async () => {
      await happen({ user: 'ann', organization: 'doomed' }, doomed);
      await requeue(db.database, { type: 'org.removed' }, new Date(engine.clock.now()));
      await engine.settle();
      expect((await events()).filter(({ type }) => type === 'org.removed.user')).toHaveLength(1);
    });

    it.each(['user.human.added', 'user.username.changed', 'user.unlocked'])(
      'a %s that comes after the removal of the organisation brings nobody back',
      async (type) => {
        await happen(doomed, {
          user: 'late',
          organization: 'doomed',
          sequence: 3,
          type,
          payload: { userName: 'l' },
        });
        expect(await stateOf('late')).toBe('removed');
        expect(marked()).toEqual(['zitadel|late']);
        expect([...engine.tuples.all]).toEqual([]);
      },
    );

    it('people that no event told of are found in the events of Zitadel itself', async () => {
      const zitadel = instance({ id: 'instance1', database: db.database, delivers: false });
      for (const id of ['seen', 'unseen']) zitadel.users.create({ userName: id, id, organization: 'doomed' });
      zitadel.users.create({ userName: 'other', id: 'other', organization: 'org1' });
      engine = createEngine(db.database, { api: { ...zitadel.deps.api, fetch: zitadel.deps.fetch } });
      for (const user of ['unseen', 'other'])
        engine.tuples.all.add(keyOf({ user: `user:${user}`, relation: 'viewer', object: 'document:1' }));
      await happen({ user: 'seen', organization: 'doomed' }, doomed);
      expect(marked()).toEqual(['zitadel|seen', 'zitadel|unseen']);
      expect([...engine.tuples.all]).toEqual([
        keyOf({ user: 'user:other', relation: 'viewer', object: 'document:1' }),
      ]);
    });

    it('Zitadel away keeps nobody whom the mirror knows, and the rest comes when it is back', async () => {
      const zitadel = instance({ id: 'instance1', database: db.database, delivers: false });
      zitadel.users.create({ userName: 'unseen', id: 'unseen', organization: 'doomed' });
      let away = true;
      const fetch: typeof zitadel.deps.fetch = (url, init) =>
        away ? Promise.reject(new TypeError('away')) : zitadel.deps.fetch(url, init);
      engine = createEngine(db.database, { api: { ...zitadel.deps.api, fetch } });
      await happen({ user: 'seen', organization: 'doomed' }, doomed);
      expect(marked()).toEqual(['zitadel|seen']);
      away = false;
      engine.clock.advance(600);
      await engine.settle();
      expect(marked()).toEqual(['zitadel|seen', 'zitadel|unseen']);
    });

    it('a removed organisation whose delivery was lost is found by the reconcile', async () => {
      const start = engine.clock.now() - 60_000;
      const zitadel = instance({ id: 'lost', database: db.database, delivers: false, start });
      zitadel.users.create({ userName: 'ann', id: 'ann', organization: 'doomed' });
      zitadel.organizations.remove('doomed');
      expect((await zitadel.reconcile()).missed.map(({ subject, type }) => [subject, type])).toEqual([
        ['ann', 'user.human.added'],
        ['org:doomed', 'org.removed'],
      ]);
      await engine.settle();
      expect(marked()).toEqual(['zitadel|ann']);
      expect([...engine.tuples.all]).toEqual([]);
    });

    const first = { user: 'ann', sequence: 1, payload: { userName: 'first' } };
    const locked = { user: 'ann', sequence: 5, type: 'user.locked' };
    const removed = { user: 'ann', sequence: 9, type: 'user.removed' };
    const again = { user: 'ann', sequence: 10, payload: { userName: 'again' } };

    it.each([
      ['in order', [first, locked, removed, again]],
      ['the removal last', [first, locked, again, removed]],
      ['the former suspension last', [first, removed, again, locked]],
      ['backwards', [again, removed, locked, first]],
    ])('a user who was removed and made again under the same id is a new one: %s', async (_, order) => {
      await happen(...order);
      expect(await mirrorOf('ann', db.database)).toMatchObject([{ username: 'again', state: 'active' }]);
      expect(marked()).toEqual([]);
      expect([...engine.tuples.all].sort()).toEqual(granted('ann'));
    });

    it('each turn of two lives counts above the one before it, in a store that keeps only the highest', async () => {
      const versions: (number | null)[] = [];
      const identities = identitiesOf('zitadel', db.database);
      for (const event of [
        first,
        locked,
        { ...locked, sequence: 6, type: 'user.unlocked' },
        removed,
        again,
      ]) {
        await happen(event);
        versions.push((await identities.states(['ann']))[0]!.version);
      }
      expect(versions).toEqual([2, 10, 12, 19, 20]);
    });

    it('nothing of the former life passes to the new one', async () => {
      await happen(first);
      engine.tuples.all.add(keyOf({ user: 'user:ann', relation: 'owner', object: 'document:1' }));
      await happen(again, removed);
      expect([...engine.tuples.all].sort()).toEqual(granted('ann'));
    });

    it('a new life may be suspended, also before it is known that it began', async () => {
      await happen(removed, { user: 'ann', sequence: 12, type: 'user.locked' }, again);
      expect(await stateOf('ann')).toBe('suspended');
      expect(marked()).toEqual(['zitadel|ann']);
    });
  });
});

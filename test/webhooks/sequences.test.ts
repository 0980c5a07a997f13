import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { requeue } from '../../functions/webhooks/inbox/manage.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { createEngine, type Engine } from './engine.ts';
import { kindsOf } from '../support/scale.ts';
import { empty, mirrorOf, statusesIn } from './tables.ts';

describe.each(kindsOf(DATABASES))('sequences over $name', ({ missing, start }) => {
  describe.skipIf(missing)('that may be false', () => {
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
    const marked = () => [...engine.revocations.marked].sort();

    it.each([
      ['2^53-1', Number.MAX_SAFE_INTEGER],
      ['2^40', 2 ** 40],
      ['ten million more than the last', 10_000_006],
    ])('a sequence of %s is set aside, said, and harms no later event', async (_, sequence) => {
      await happen({ sequence: 1 }, { sequence: 6, type: 'user.locked' });
      await happen({ sequence, type: 'user.deactivated' });
      await happen({ sequence: 7, type: 'user.unlocked' });
      expect(await stateOf('u1')).toBe('active');
      expect(marked()).toEqual([]);
      const dead = (await statusesIn(db.database)).filter(({ status }) => status === 'dead');
      expect(dead).toMatchObject([
        { attempts: 0, last_error: expect.stringContaining('sequence') as unknown },
      ]);
    });

    it('an operator may believe it after all', async () => {
      await happen({ sequence: 1 }, { sequence: 10_000_006, type: 'user.deactivated' });
      expect(marked()).toEqual([]);
      await requeue(db.database, { status: 'dead' }, new Date(engine.clock.now()));
      await engine.settle();
      expect(marked()).toEqual(['zitadel|u1']);
    });

    it.each([
      ['the first of a user in an instance with numbers of its own', [{ sequence: 5_000_000_000 }]],
      [
        'a hundred thousand tokens within a second',
        [{ sequence: 1 }, { sequence: 100_001, type: 'user.username.changed' }],
      ],
      [
        'who is back after thousands of logins',
        [{ sequence: 1 }, { sequence: 10_001, type: 'user.unlocked' }],
      ],
    ])('believes %s', async (_, order) => {
      for (const event of order) await engine.arrive(event);
      expect((await statusesIn(db.database)).map(({ status }) => status)).toEqual(order.map(() => 'pending'));
    });

    it('believes a busy user, over months between two arrivals', async () => {
      await happen({ sequence: 1 });
      engine.clock.advance(100 * 86_400);
      await happen({ sequence: 8_000_000, type: 'user.unlocked' });
      expect((await statusesIn(db.database)).map(({ status }) => status)).toEqual(['applied', 'applied']);
    });

    it('an old date of the event before makes no leap credible', async () => {
      await happen({ sequence: 1, createdAt: '2000-01-02T00:00:00Z' });
      await happen({ sequence: 80_000_000_000, type: 'user.unlocked' });
      await happen({ sequence: 2, type: 'user.deactivated' });
      expect(await stateOf('u1')).toBe('suspended');
    });

    it('what gives access is set aside after a leap that others may make', async () => {
      await happen({ sequence: 1 }, { sequence: 1_000_000, type: 'user.unlocked' });
      await happen({ sequence: 2, type: 'user.deactivated' });
      expect(marked()).toEqual(['zitadel|u1']);
    });

    const minute = (n: number) => new Date(engine.clock.now() - 3_600_000 + n * 60_000).toISOString();

    it.each([
      ['far above', 9_999, 0.01],
      ['somewhat above, and a while before', 90, 2],
    ])('a withdrawal is not lost to a restoration whose sequence is %s', async (_, sequence, minutes) => {
      await happen({ sequence: 1, createdAt: minute(0) });
      await happen({ sequence, type: 'user.unlocked', createdAt: minute(1) });
      await happen({ sequence: 2, type: 'user.deactivated', createdAt: minute(1 + minutes) });
      expect(await stateOf('u1')).toBe('suspended');
      await happen({ sequence: sequence + 1, type: 'user.reactivated', createdAt: minute(9) });
      expect(await stateOf('u1')).toBe('active');
    });

    it('a removal is not lost to a creation of a false sequence', async () => {
      await happen({ sequence: 20_000_000_000, createdAt: minute(0) });
      await happen({ sequence: 2, type: 'user.removed', createdAt: minute(1) });
      expect(await stateOf('u1')).toBe('removed');
    });

    it('a withdrawal that arrives late changes nothing, whatever is between', async () => {
      await happen({ sequence: 500, type: 'user.unlocked', createdAt: minute(5) });
      await happen({ sequence: 2, type: 'user.deactivated', createdAt: minute(1) });
      expect(await stateOf('u1')).toBe('active');
    });
  });
});

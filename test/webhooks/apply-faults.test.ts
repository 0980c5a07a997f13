import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DatabaseError, DatabaseUnavailable, type Database } from '../../shared/ports/database.ts';
import { InputRefused } from '../../shared/errors.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { createEngine, granted, type Engine } from './engine.ts';
import { kindsOf } from '../support/scale.ts';
import { empty, statusesIn } from './tables.ts';

describe.each(kindsOf(DATABASES))('applying events over $name', ({ missing, start }) => {
  describe.skipIf(missing)('while something is away', () => {
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

    it('what takes access away does not wait behind an event that fails', async () => {
      engine.tuples.away = true;
      await engine.arrive({ sequence: 1 });
      await engine.settle();
      await engine.arrive({ sequence: 2, type: 'user.removed' });
      await engine.settle();
      expect([...engine.revocations.marked]).toEqual(['zitadel|u1']);
      engine.tuples.away = false;
      engine.clock.advance(600);
      await engine.settle();
      expect([...engine.tuples.all]).toEqual([]);
      expect((await statusesIn(db.database)).map(({ status }) => status)).toEqual(['applied', 'applied']);
    });

    it("one user's trouble holds up no other user", async () => {
      await engine.arrive({ user: 'u1', sequence: 1 });
      engine.tuples.before = (call) => {
        if (call === 'write') throw new Error('broken');
      };
      await engine.settle();
      engine.tuples.before = () => undefined;
      await engine.arrive({
        user: 'u1',
        sequence: 2,
        type: 'user.username.changed',
        payload: { userName: 'x' },
      });
      await engine.arrive({ user: 'u2', sequence: 1 });
      expect(await engine.settle()).toMatchObject({ applied: 1 });
      expect([...engine.tuples.all].sort()).toEqual(granted('u2'));
    });

    it.each(['tuples', 'revocations'] as const)('nothing is lost while %s are away', async (port) => {
      engine[port].away = true;
      await engine.arrive({ sequence: 1 });
      await engine.arrive({ sequence: 2, type: 'user.locked' });
      for (let minutes = 0; minutes < 5; minutes++) {
        await engine.settle();
        engine.clock.advance(60);
      }
      expect((await statusesIn(db.database)).some(({ status }) => status === 'pending')).toBe(true);
      engine[port].away = false;
      engine.clock.advance(300);
      await engine.settle();
      expect((await statusesIn(db.database)).every(({ status }) => status === 'applied')).toBe(true);
      expect([...engine.tuples.all].sort()).toEqual(granted('u1'));
      expect([...engine.revocations.marked]).toEqual(['zitadel|u1']);
    });

    it('waits longer after each failure, and never more than five minutes', async () => {
      engine.tuples.away = true;
      await engine.arrive({});
      for (let failures = 1; failures <= 12; failures++) {
        expect(await engine.settle()).toMatchObject({ failed: 1 });
        const most = Math.min(300, 2 ** (failures - 1));
        engine.clock.advance(most / 2 - 0.01);
        expect(await engine.settle()).toMatchObject({ failed: 0 });
        engine.clock.advance(most / 2 + 0.02);
      }
    });

    it('sets an event aside after its last attempt, says why, and goes on with the next', async () => {
      engine = createEngine(db.database, { mostAttempts: 3 });
      engine.tuples.away = true;
      await engine.arrive({ sequence: 1 });
      await engine.arrive({ sequence: 2, type: 'user.username.changed', payload: { userName: 'x' } });
      for (let attempt = 0; attempt < 3; attempt++) {
        await engine.settle();
        engine.clock.advance(600);
      }
      await engine.settle();
      expect(await statusesIn(db.database)).toEqual([
        { status: 'dead', attempts: 3, last_error: 'away' },
        { status: 'applied', attempts: 0, last_error: null },
      ]);
      expect(engine.lines.join()).toContain('webhook event set aside');
    });

    it.each([
      ['OpenFGA refuses for good', () => new InputRefused('409', { cause: new Error('user:u1 is there') })],
      ['Postgres cannot store', () => new DatabaseError('22P05')],
    ])('what %s is set aside at once, and the next event goes on at once', async (_, fault) => {
      engine.tuples.before = (call) => {
        if (call === 'write') throw fault();
      };
      await engine.arrive({ sequence: 1 });
      await engine.arrive({ sequence: 2, type: 'user.username.changed', payload: { userName: 'x' } });
      await engine.settle();
      expect(await statusesIn(db.database)).toMatchObject([
        { status: 'dead', attempts: 1 },
        { status: 'applied', attempts: 0 },
      ]);
      expect(engine.lines.join()).toContain('webhook event set aside');
      // Tuples are data: they stand beside the event, for whoever looks after it.
      expect(engine.lines.join()).not.toContain('user:u1');
    });

    it.each(['42P01', '42501', '40001', '55P03'])('what may pass (%s) comes again', async (code) => {
      engine.tuples.before = (call) => {
        if (call === 'write') throw new DatabaseError(code);
      };
      await engine.arrive({});
      expect(await engine.settle()).toMatchObject({ failed: 1, dead: 0 });
    });

    it('an event whose instance died is taken over once its lease has run out, and not before', async () => {
      engine.tuples.before = () => {
        throw new Gone();
      };
      const dies = createEngine(failingAfterClaim(db.database), { shared: engine });
      await dies.arrive({});
      await expect(dies.settle()).rejects.toThrow(DatabaseUnavailable);
      engine.tuples.before = () => undefined;
      expect(await engine.settle()).toMatchObject({ applied: 0 });
      engine.clock.advance(61);
      expect(await engine.settle()).toMatchObject({ applied: 1 });
      expect([...engine.tuples.all].sort()).toEqual(granted('u1'));
    });

    it('of four instances at once each event is applied by one', async () => {
      const instances = [
        engine,
        ...Array.from({ length: 3 }, () => createEngine(db.database, { shared: engine })),
      ];
      const writes: string[] = [];
      engine.tuples.before = (call) => void writes.push(call);
      for (let n = 0; n < 40; n++) await engine.arrive({ user: `u${n}` });
      const done = await Promise.all(instances.map((instance) => instance.settle()));
      expect(done.reduce((sum, { applied }) => sum + applied, 0)).toBe(40);
      expect(writes.filter((call) => call === 'write')).toHaveLength(40);
    });

    it('marks that the store lost come back, and a mark that outlived its reason goes', async () => {
      await engine.arrive({ user: 'gone', type: 'user.removed' });
      await engine.arrive({ user: 'locked', type: 'user.locked' });
      await engine.arrive({ user: 'back', sequence: 1, type: 'user.locked' });
      await engine.arrive({ user: 'back', sequence: 2, type: 'user.unlocked' });
      await engine.settle();
      engine.revocations.marked.clear();
      engine.revocations.told.clear();
      engine.revocations.marked.add('zitadel|back');
      expect(await engine.marks.remark()).toBe(3);
      expect([...engine.revocations.marked].sort()).toEqual(['zitadel|gone', 'zitadel|locked']);
      engine.clock.advance(31 * 24 * 3600);
      expect(await engine.marks.remark()).toBe(0);
    });

    it('a restoration that meets a later suspension half-way does not undo it', async () => {
      await engine.arrive({ sequence: 1, type: 'user.locked' });
      await engine.settle();
      let met = false;
      engine.revocations.before = async (call) => {
        if (call !== 'restore' || met) return;
        met = true;
        // Another instance tells the newer state, that of the third event, between this one's reading and telling.
        await engine.revocations.mark('zitadel|u1', { version: 6, notBefore: Infinity });
      };
      await engine.arrive({ sequence: 2, type: 'user.unlocked' });
      await engine.settle();
      expect(met).toBe(true);
      expect([...engine.revocations.marked]).toEqual(['zitadel|u1']);
    });
  });
});

class Gone extends Error {}

/** Lets claims through and then is away, as it looks when a process dies in the middle. */
function failingAfterClaim(database: Database): Pick<Database, 'query' | 'execute'> {
  return {
    query: (statement, row) => database.query(statement, row),
    execute: () => Promise.reject(new DatabaseUnavailable('gone')),
  };
}

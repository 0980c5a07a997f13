import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { createEngine, granted, keyOf, type Engine } from './engine.ts';
import { type EnvelopeOptions } from './events.ts';
import { kindsOf } from '../support/scale.ts';
import { empty, mirrorOf } from './tables.ts';

/** A life of one user as Zitadel could tell it: what comes after a removal does not happen. */
const life = fc
  .array(
    fc.constantFrom(
      'user.username.changed',
      'user.human.email.changed',
      'user.deactivated',
      'user.reactivated',
      'user.locked',
      'user.unlocked',
    ),
    { maxLength: 6 },
  )
  .chain((middle) =>
    fc.boolean().map((removed) => ['user.human.added', ...middle, ...(removed ? ['user.removed'] : [])]),
  )
  .map((types) =>
    types.map((type, index): EnvelopeOptions => {
      const payload = { userName: `name${index}`, email: `mail${index}@example.org` };
      const told = type.endsWith('added')
        ? payload
        : type.includes('username')
          ? { userName: payload.userName }
          : type.includes('email')
            ? { email: payload.email }
            : undefined;
      return { type, sequence: index + 1, ...(told && { payload: told }) };
    }),
  );

describe.each(kindsOf(DATABASES))('events applied over $name', ({ missing, start }) => {
  describe.skipIf(missing)('end as a perfect delivery', () => {
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

    const mirror = (subject = 'u1') => mirrorOf(subject, db.database);
    const outcome = async (from: Engine, user: string) => ({
      tuples: [...from.tuples.all]
        .filter((tuple) => tuple.includes(`user:${user}"`))
        .map((t) => t.replace(user, '')),
      marked: from.revocations.marked.has(`zitadel|${user}`),
      mirror: (await mirror(user)).map(({ username, email, state }) => ({ username, email, state })),
    });

    it('whatever is doubled, delayed and reordered', async () => {
      let serial = 0;
      const shuffled = life.chain((events) =>
        fc
          .shuffledSubarray([...events, ...events], { minLength: events.length * 2 })
          .chain((order) =>
            fc
              .array(fc.boolean(), { minLength: order.length, maxLength: order.length })
              .map((pauses) => ({ events, order, pauses })),
          ),
      );
      const property = fc.asyncProperty(shuffled, async ({ events, order, pauses }) => {
        serial += 1;
        const [perfect, real] = [`perfect${serial}`, `real${serial}`];
        for (const event of events) {
          await engine.arrive({ ...event, user: perfect });
          await engine.settle();
        }
        for (const [index, event] of order.entries()) {
          await engine.arrive({ ...event, user: real });
          if (pauses[index] === true) await engine.settle();
        }
        await engine.settle();
        expect(await outcome(engine, real)).toEqual(await outcome(engine, perfect));
      });
      await fc.assert(property, { numRuns: 60, seed: 7 });
    });

    it('grants, renames, suspends and restores in the order of the sequence', async () => {
      const events: EnvelopeOptions[] = [
        { sequence: 3, type: 'user.username.changed', payload: { userName: 'third' } },
        { sequence: 2, type: 'user.username.changed', payload: { userName: 'second' } },
        { sequence: 1, payload: { userName: 'first', email: 'a@example.org' } },
        { sequence: 5, type: 'user.unlocked' },
        { sequence: 4, type: 'user.locked' },
      ];
      for (const event of events) {
        await engine.arrive(event);
        await engine.settle();
      }
      expect(await mirror()).toEqual([
        { subject: 'u1', username: 'third', email: 'a@example.org', state: 'active' },
      ]);
      expect([...engine.revocations.marked]).toEqual([]);
      expect([...engine.tuples.all].sort()).toEqual(granted('u1'));
    });

    it("a removal deletes every tuple of the user over all object types, page by page, and nobody else's", async () => {
      const own = Array.from({ length: 5 }, (_, n) => [
        { user: 'user:u1', relation: 'viewer', object: `feature:${n}` },
        { user: 'user:u1', relation: 'admin', object: `document:${n}` },
        { user: 'user:u1', relation: 'member', object: `organization:${n}` },
      ]).flat();
      const others = ['user:u2', 'user:u11', 'role:u1#assignee'].map((user) => ({
        user,
        relation: 'viewer',
        object: 'feature:1',
      }));
      await engine.tuples.write({ writes: [...own, ...others] });
      await engine.arrive({ sequence: 9, type: 'user.removed' });
      await engine.settle();
      expect([...engine.tuples.all]).toEqual(others.map(keyOf));
      expect(await mirror()).toEqual([{ subject: 'u1', username: null, email: null, state: 'removed' }]);
    });
  });
});

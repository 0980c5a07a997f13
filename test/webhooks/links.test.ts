import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sql } from '../../shared/ports/database.ts';
import { makeUser, type MadeUser, type UserOptions } from '../auth/people.ts';
import { connect } from '../db/support.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';
import { createEngine, granted, keyOf, type Engine } from './engine.ts';
import { ISSUER } from './events.ts';
import { empty, statusesIn } from './tables.ts';

/** Accounts of Zitadel, and the users of the application that they are linked to. */
describe.each(kindsOf(DATABASES))('accounts and their users over $name', ({ name, missing, start }) => {
  describe.skipIf(missing)('in OpenFGA', () => {
    let db: MigratedDatabase;
    let engine: Engine;
    beforeAll(async () => {
      db = await start();
    });
    afterAll(() => db.close());
    beforeEach(async () => {
      await empty(db.database);
      engine = createEngine(db.database);
      // What the database queues is due by its own clock.
      engine.clock.advance((Date.now() - engine.clock.now()) / 1_000 + 60);
    });

    const happen = async (...events: Parameters<Engine['arrive']>[0][]) => {
      for (const event of events) {
        await engine.arrive(event);
        await engine.settle();
      }
    };
    const link = (account: string, { userId }: Pick<MadeUser, 'userId'>, issuer = ISSUER.url) =>
      db.database.execute(sql`insert into sallyport_links (issuer, subject, user_id, via)
        values (${issuer}, ${account}, ${userId}, 'callback')`);
    const give = (user: string, relation = 'owner', object = 'document:1') =>
      void engine.tuples.all.add(keyOf({ user, relation, object }));
    const tuples = () => [...engine.tuples.all].sort();
    const removal = (user: string) => ({ user, sequence: 9, type: 'user.removed' });
    const owning = (id: string) => keyOf({ user: `user:${id}`, relation: 'owner', object: 'document:1' });
    let made = 0;
    const account = () => `28739841${(made += 1)}`;
    const person = (options?: UserOptions) => makeUser(db.database, options);

    it('a new account that is linked already is granted as the user whom the gateway asks for', async () => {
      const [user, id] = [await person(), account()];
      await link(id, user);
      await happen({ user: id });
      expect(tuples()).toEqual(granted(user.userId));
    });

    it('a link that is made later takes along what the account was given, by default and by hand', async () => {
      const [user, id, other] = [await person(), account(), account()];
      await happen({ user: id }, { user: other });
      give(`user:${id}`);
      engine.tuples.all.add(
        JSON.stringify({ user: 'user:other', relation: 'owner', object: `document:${id}` }),
      );
      await link(id, user);
      await engine.settle();
      expect(tuples()).toEqual(
        [
          ...granted(user.userId, other),
          owning(user.userId),
          keyOf({ user: 'user:other', relation: 'owner', object: `document:${id}` }),
        ].sort(),
      );
      // What was withdrawn before does not come back.
      expect((await statusesIn(db.database)).map(({ status }) => status)).toEqual(
        Array.from({ length: 3 }, () => 'applied'),
      );
    });

    it.skipIf(name === 'PGlite')(
      'a link that is not committed while the account gets its grants takes them along all the same (PGlite has one connection)',
      async () => {
        const [user, id] = [await person(), account()];
        await happen({ user: account() });
        const linking = await connect(db.url);
        await linking.query('begin');
        await linking.query(
          `insert into sallyport_links (issuer, subject, user_id, via) values ($1, $2, $3, 'callback')`,
          [ISSUER.url, id, user.userId],
        );
        engine.tuples.all.clear();
        await happen({ user: id });
        expect(tuples()).toEqual(granted(id));
        await linking.query('commit');
        await linking.end();
        await engine.settle();
        expect(tuples()).toEqual(granted(user.userId));
      },
    );

    it('a default grant that was withdrawn by hand does not come back with the link', async () => {
      const [user, id] = [await person(), account()];
      await happen({ user: id });
      engine.tuples.all.clear();
      await link(id, user);
      await engine.settle();
      expect(tuples()).toEqual([]);
    });

    it('OpenFGA away: the link stands, and what it takes along comes when OpenFGA is back', async () => {
      const [user, id] = [await person(), account()];
      await happen({ user: id });
      engine.tuples.away = true;
      await link(id, user);
      expect(await engine.settle()).toMatchObject({ failed: 1 });
      engine.tuples.away = false;
      engine.clock.advance(600);
      await engine.settle();
      expect(tuples()).toEqual(granted(user.userId));
    });

    it('broken off anywhere and begun again, it ends the same', async () => {
      for (let calls = 1; calls <= 6; calls += 1) {
        engine.tuples.all.clear();
        const [user, id] = [await person(), account()];
        await happen({ user: id });
        give(`user:${id}`);
        await link(id, user);
        let left = calls;
        engine.tuples.before = () => {
          left -= 1;
          engine.tuples.away = left === 0;
        };
        await engine.settle();
        engine.tuples.before = () => undefined;
        engine.tuples.away = false;
        engine.clock.advance(600);
        await engine.settle();
        expect([calls, tuples()]).toEqual([calls, [...granted(user.userId), owning(user.userId)].sort()]);
      }
    });

    it('a link that is undone before it is applied takes nothing along', async () => {
      const [user, id] = [await person(), account()];
      await happen({ user: id });
      await link(id, user);
      await db.database.execute(sql`delete from sallyport_links where subject = ${id}`);
      await engine.settle();
      expect(tuples()).toEqual(granted(id));
    });

    it('a removed account gives nothing to whom it is linked afterwards', async () => {
      const [user, id] = [await person(), account()];
      await happen({ user: id }, removal(id));
      give(`user:${id}`);
      await link(id, user);
      await engine.settle();
      expect(tuples()).toEqual([owning(id)]);
    });

    it('the same subject at another issuer is another account', async () => {
      const [user, id] = [await person(), account()];
      await happen({ user: id });
      await link(id, user, 'https://idm.example.org');
      await engine.settle();
      expect(tuples()).toEqual(granted(id));
    });

    it('links of provisioned accounts are not queued, and none is where no event ever came', async () => {
      const [user, first] = [await person(), await person()];
      await link(account(), first);
      expect(await statusesIn(db.database)).toHaveLength(0);
      await happen({ user: user.userId });
      await link(user.userId, user);
      expect(await statusesIn(db.database)).toHaveLength(1);
      expect(tuples()).toEqual(granted(user.userId));
    });

    it('what an account without an event has by hand stays where it is', async () => {
      const [user, id] = [await person(), account()];
      await happen({ user: account() });
      engine.tuples.all.clear();
      give(`user:${id}`);
      await link(id, user);
      await engine.settle();
      expect(tuples()).toEqual([owning(id)]);
    });

    it('an account that is removed again takes nothing from a user who has another door', async () => {
      const byPassword = await person({ authMethod: 'dual' });
      const byKanidm = await person({ authMethod: 'kanidm' });
      await link(byKanidm.userId, byKanidm, 'https://idm.example.org');
      for (const user of [byPassword, byKanidm])
        for (const id of [user.userId, account()]) {
          engine.tuples.all.clear();
          await link(id, user);
          give(`user:${user.userId}`);
          await happen({ user: id }, removal(id));
          expect(engine.revocations.marked).toContain(`zitadel|${id}`);
          expect(tuples()).toEqual([...granted(user.userId), owning(user.userId)].sort());
          await db.database.execute(
            sql`delete from sallyport_links where subject = ${id} and issuer = ${ISSUER.url}`,
          );
        }
    });

    it('an account that was the only door takes along what its user had, and so does one of a deleted user', async () => {
      const only = await person({ authMethod: 'kanidm' });
      const deleted = await person({ authMethod: 'dual', deleted: true });
      for (const user of [only, deleted]) {
        const id = account();
        await link(id, user);
        give(`user:${user.userId}`);
        await happen({ user: id }, removal(id));
        expect(tuples()).toEqual([]);
      }
    });

    it('an account under the id of another user takes nothing from that one, not when it is linked, nor when it is removed', async () => {
      const [victim, user] = [await person(), await person()];
      give(`user:${victim.userId}`);
      await happen({ user: victim.userId });
      await link(victim.userId, user);
      await engine.settle();
      const theirs = [...granted(victim.userId), owning(victim.userId)].sort();
      expect(tuples()).toEqual(theirs);
      await happen(removal(victim.userId));
      expect(tuples()).toEqual(theirs);
    });

    it('an account under the id of a user whose account it is not takes nothing from that one', async () => {
      const victim = await person({ authMethod: 'kanidm' });
      give(`user:${victim.userId}`);
      await happen({ user: victim.userId }, removal(victim.userId));
      expect(tuples()).toContain(owning(victim.userId));
      const nobody = randomUUID();
      give(`user:${nobody}`);
      await happen({ user: nobody }, removal(nobody));
      expect(tuples()).not.toContain(owning(nobody));
    });
  });
});

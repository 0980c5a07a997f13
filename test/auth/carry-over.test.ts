import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { carriedAgain, carryOver } from '../../functions/auth/password/carry-over.ts';
import type { Account } from '../../functions/auth/password/accounts.ts';
import { sql } from '../../shared/ports/database.ts';
import type { Directory } from '../../shared/ports/directory.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { auditOf, makeUser, PASSWORD, type MadeUser } from './people.ts';
import * as z from 'zod';

const ISSUER = 'https://idm.example.org/oauth2/openid/app';
type Result = Awaited<ReturnType<Directory['carryPassword']>>;

describe('a right password', () => {
  let db: MigratedDatabase;
  beforeAll(async () => {
    db = await DATABASE.start();
  });
  afterAll(() => db.close());

  /** A provider that takes passwords in one way, and what was asked of it. */
  function provider(
    passwords: Directory['traits']['passwords'],
    result: () => Result | Promise<Result> = () => ({ outcome: 'carried' }),
  ) {
    const asked: string[] = [];
    const warned: unknown[] = [];
    const { signedIn: carry, changed } = carryOver({
      database: db.database,
      log: { warn: (_message, fields) => void warned.push(fields) },
      // Of the whole port those that are used.
      directory: {
        traits: { issuer: ISSUER, passwords },
        carryPassword: async (id: string, password: { plain: string } | { hash: string }) => {
          asked.push(`${id} ${'plain' in password ? password.plain : password.hash}`);
          return result();
        },
        disable: async (id: string) => {
          asked.push(`disable ${id}`);
          return { outcome: 'done', passwordDropped: true };
        },
      } as unknown as Directory,
      provision: async (userId) => {
        asked.push(`provision ${userId}`);
        return { outcome: 'linked' };
      },
      hash: async (password) => `hash of ${password}`,
    });
    return { asked, warned, carry, changed };
  }
  const account = ({ userId }: MadeUser, migration: Account['migration'] = 'not_invited') =>
    ({ userId, migration }) as Account;
  const linked = async () => {
    const user = await makeUser(db.database);
    await db.database.execute(
      sql`insert into sallyport_links (issuer, subject, user_id, via) values (${ISSUER}, ${user.userId}, ${user.userId}, 'provisioning')`,
    );
    return user;
  };
  const flagsOf = ({ userId }: MadeUser) =>
    db.database.query(
      sql`select flags from sallyport_people where user_id = ${userId}`,
      z.object({ flags: z.unknown() }),
    );

  it('makes the account at a provider that takes hashes, unless there is one', async () => {
    const { asked, carry } = provider('hash');
    const user = await makeUser(db.database);
    for (const state of ['not_invited', 'invited', 'provisioned', 'completed', 'excluded'] as const)
      await carry(account(user, state), PASSWORD);
    expect(asked).toEqual([`provision ${user.userId}`, `provision ${user.userId}`]);
  });

  it('goes along, once, to an account that needs the plain text', async () => {
    const { asked, carry } = provider('sign-in');
    const user = await linked();
    await carry(account(user, 'provisioned'), PASSWORD);
    await carry(account(user, 'provisioned'), PASSWORD);
    expect(asked).toEqual([`${user.userId} ${PASSWORD}`]);
    expect(await flagsOf(user)).toEqual([{ flags: { password_carried: true } }]);
    expect((await auditOf(db.database, user.userId)).map(({ what }) => what)).toEqual(['provisioned']);
  });

  it('that was replaced while it went along is not taken for the one that counts', async () => {
    const user = await linked();
    const { asked, carry } = provider('sign-in', async () => {
      await db.database.execute(
        sql`update users set password_changed_at = now() where user_id = ${user.userId}`,
      );
      return { outcome: 'carried' };
    });
    await carry(account(user, 'provisioned'), PASSWORD);
    await carry(account(user, 'provisioned'), 'the new one');
    expect(asked).toEqual([`${user.userId} ${PASSWORD}`, `${user.userId} the new one`]);
  });

  it('that was changed here goes along as its hash, at once or else with the next sign-in, and once', async () => {
    let result: Result = { outcome: 'away', reason: 'no answer' };
    const { asked, carry, changed } = provider('hash', () => result);
    const user = await linked();
    const provisioned = account(user, 'provisioned');
    await carry(provisioned, PASSWORD);
    expect(asked).toEqual([]);
    const who = sql`users where user_id = ${user.userId}`;
    await db.database.execute(carriedAgain(sql`(select user_id from ${who}) as who`));
    await changed(account(user, 'completed'), 'the new one');
    expect(asked).toEqual([]);
    await changed(provisioned, 'the new one');
    result = { outcome: 'carried' };
    for (let turn = 0; turn < 2; turn += 1) await carry(provisioned, 'the new one');
    // The stored hash is too cheap for the provider.
    const once = `${user.userId} hash of the new one`;
    expect(asked).toEqual([once, once]);
    expect(await flagsOf(user)).toEqual([{ flags: { password_carried: true } }]);
  });

  it('does not enable again who was suspended while it went along', async () => {
    const user = await linked();
    const { asked, carry } = provider('sign-in', async () => {
      await db.database.execute(sql`update users set status = 'suspended' where user_id = ${user.userId}`);
      return { outcome: 'carried' };
    });
    await carry(account(user, 'provisioned'), PASSWORD);
    expect(asked).toEqual([`${user.userId} ${PASSWORD}`, `disable ${user.userId}`]);
  });

  it('does not overwrite what somebody uses at the provider already, nor reaches who has no account there', async () => {
    const { asked, carry } = provider('sign-in');
    await carry(account(await linked(), 'completed'), PASSWORD);
    await carry(account(await linked(), 'excluded'), PASSWORD);
    await carry(account(await makeUser(db.database)), PASSWORD);
    expect(asked).toEqual([]);
  });

  it('goes along with the next sign-in where the provider was away, and not again where it was refused', async () => {
    let result: Result = { outcome: 'away', reason: 'no answer' };
    const { asked, warned, carry } = provider('sign-in', () => result);
    const user = await linked();
    await carry(account(user, 'provisioned'), PASSWORD);
    expect([asked.length, warned.length]).toEqual([1, 1]);
    expect(JSON.stringify(warned)).not.toContain(PASSWORD);
    result = { outcome: 'refused', field: 'password', reason: 'a local person' };
    await carry(account(user, 'provisioned'), PASSWORD);
    await carry(account(user, 'provisioned'), PASSWORD);
    expect(asked).toHaveLength(2);
    expect(await flagsOf(user)).toEqual([{ flags: { password_carried: false } }]);
  });

  it('never fails by the provider or the database', async () => {
    const { warned, carry } = provider('sign-in', () => {
      throw new Error('broken');
    });
    await expect(carry(account(await linked(), 'provisioned'), PASSWORD)).resolves.toBeUndefined();
    expect(warned).toHaveLength(1);
  });

  it('stays here while the migration is paused', async () => {
    const { asked, carry } = provider('sign-in');
    await db.database.execute(sql`insert into sallyport_switches (name, who) values ('migration', 'test')`);
    await carry(account(await linked(), 'provisioned'), PASSWORD);
    await db.database.execute(sql`delete from sallyport_switches`);
    expect(asked).toEqual([]);
  });
});

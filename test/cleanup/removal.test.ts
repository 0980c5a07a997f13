import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { sql } from '../../shared/ports/database.ts';
import { cleanupOf, cleanupStage, postgres } from './stage.ts';

describe.skipIf(postgres.missing)(
  'people without an account, at the clean-up (needs the postgresql package)',
  () => {
    const stage = cleanupStage();
    const { backup, closed, apply, restore } = cleanupOf(stage);

    const noted = () =>
      stage.database.query(
        sql`select what, sum(n)::int as n from sallyport_figures_deltas where what like '%logins' group by what`,
        z.unknown(),
      );

    it('are counted and refused; with --remove-without-account they go into the archive and come back with their sessions', async () => {
      const gone = await stage.addUser({ tenant: 'birch', email: 'dan@birch.example.org' });
      await stage.database.execute(sql`update users set deleted_at = now() where user_id = ${gone}`);
      await stage.database.execute(sql`
        insert into sessions (user_id, tenant_id, access_token_expires_at, refresh_token_expires_at, auth_method, created_at)
        select user_id, tenant_id, now(), now(), 'jwt', now() - interval '60 days' from users where user_id = ${gone}`);
      const linked = await stage.addUser({ tenant: 'birch', email: 'erin@birch.example.org' });
      await stage.database.execute(
        sql`update users set migration_completed_at = now() where user_id = ${linked}`,
      );
      await stage.database.execute(
        sql`insert into sallyport_links (issuer, subject, user_id, via) values ('https://z.example.org', '3512', ${linked}, 'link')`,
      );
      const before = await stage.users();
      await closed(
        stage.applied(`--backup ${await backup()}`),
        /1 rows of users have no account.*--remove-without-account/,
      );
      const dry = await stage.json(
        stage.applied(`--backup ${await backup()} --remove-without-account --dry-run`),
      );
      expect(dry).toMatchObject({ code: 0, people: 6, passwords: 6, removed: 1, sessions: 1, linked: 1 });
      expect(await stage.users()).toEqual(before);
      const check = `migration cleanup check --backup ${await backup()}`;
      expect((await stage.run(check)).code).toBe(1);
      expect((await stage.run(`${check} --remove-without-account`)).code).toBe(0);
      const counted = await noted();
      const done = await apply('--remove-without-account');
      for (const count of ['people', 'passwords', 'removed', 'sessions', 'linked', 'waves'])
        expect(done[count], count).toBe(dry[count]);
      expect(await stage.users()).toHaveLength(6);
      expect(await stage.json(restore(done.archive))).toMatchObject({ people: 6, removed: 1 });
      expect(await stage.users()).toEqual(before);
      const [session] = await stage.database.query(
        sql`select count(*)::int as n from sessions where user_id = ${gone}`,
        z.object({ n: z.number() }),
      );
      expect(session).toEqual({ n: 1 });
      expect(await noted(), 'no sign-in is counted again').toEqual(counted);
    });

    it('who takes part is never removed, nor is who is named by rows of the application', async () => {
      await stage.database.execute(
        sql`update users set kanidm_user_id = null where email = 'alice@acme.example.org'`,
      );
      await closed(
        stage.applied(`--backup ${await backup()} --remove-without-account`),
        /1 rows of users have no account at the provider and take part/,
      );
      await stage.database.execute(
        sql`update users set kanidm_user_id = user_id where email = 'alice@acme.example.org'`,
      );
      await stage.database.execute(sql`update users set kanidm_user_id = null where email like 'carol%'`);
      await stage.database.execute(
        sql`create table orders (id int, buyer uuid references users (user_id) on delete cascade)`,
      );
      await stage.database.execute(
        sql`insert into orders select 1, user_id from users where email like 'carol%'`,
      );
      await closed(stage.applied(`--backup ${await backup()} --remove-without-account`), /orders \(1\)/);
      await stage.database.execute(sql`delete from orders`);
      await stage.database.execute(
        sql`create table carts (id int, session uuid references sessions (session_id) on delete cascade)`,
      );
      await stage.database.execute(sql`
        with begun as (
          insert into sessions (user_id, tenant_id, access_token_expires_at, refresh_token_expires_at, auth_method)
          select user_id, tenant_id, now(), now(), 'kanidm' from users where email like 'carol%' returning session_id)
        insert into carts select 1, session_id from begun`);
      await closed(stage.applied(`--backup ${await backup()} --remove-without-account`), /carts \(1\)/);
    });

    it('who was made anonymous meanwhile gets no password back', async () => {
      const { archive } = await apply();
      await stage.database.execute(
        sql`with gone as (update users set email = 'forgotten-1@invalid' where email like 'bob@birch%' returning user_id)
            insert into sallyport_audit (who, what, subject, source) select 'x', 'forgotten', user_id, 'cli' from gone`,
      );
      expect(await stage.json(restore(archive))).toMatchObject({ code: 0, people: 5, since: 0 });
      const [row] = await stage.database.query(
        sql`select password_hash, locked_until, migration_invited_at from users where email like 'forgotten-%'`,
        z.unknown(),
      );
      expect(row).toEqual({ password_hash: null, locked_until: null, migration_invited_at: null });
    });

    it('who was forgotten meanwhile does not come back', async () => {
      const dan = await stage.addUser({
        tenant: 'birch',
        email: 'dan@birch.example.org',
        status: 'suspended',
      });
      const { archive } = await apply('--remove-without-account');
      expect(await stage.run(`users forget ${dan} --yes`)).toMatchObject({ code: 0 });
      expect(await stage.json(restore(archive))).toMatchObject({ removed: 0, left: 1 });
      expect(await stage.users()).toHaveLength(5);
    });
  },
);

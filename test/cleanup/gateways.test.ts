import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { sql } from '../../shared/ports/database.ts';
import { makeUser, PASSWORD } from '../auth/people.ts';
import { authSuite, bearer, Pair, signIn } from '../auth/suite.ts';
import { pgBouncerMissing, startPgBouncer, type PgBouncerService } from '../services/pgbouncer.ts';
import { postgresMissing } from '../services/postgres.ts';
import { node, nodeProgram, LISTENING } from '../support/gateway/node.ts';
import { expectRefusal } from '../support/refusal.ts';
import { openFolder, openGate, type Folder } from './by-hand.ts';

let folder: Folder;
let bouncer: PgBouncerService | undefined;
beforeAll(async () => {
  folder = await openFolder();
});
afterAll(async () => {
  await bouncer?.close();
  await folder.close();
});

const PASSWORD_ROUTES = [
  ['login', { email: 'alice@example.org', password: PASSWORD }],
  ['register', { tenant: 'x', email: 'alice@example.org', password: PASSWORD, full_name: 'A' }],
  ['register/confirm', { token: 'x'.repeat(43) }],
  ['reset-password', { email: 'alice@example.org' }],
  ['reset-password/confirm', { token: 'x'.repeat(43), new_password: PASSWORD }],
] as const;

describe.skipIf(postgresMissing)('needs the postgresql package', () => {
  authSuite(
    'a gateway that runs while the passwords are dropped',
    { variables: () => ({ NEW_USERS: 'both' }) },
    (stage) => {
      it('answers 410 on password routes at once, goes on with all else, and takes passwords again after the restore', async () => {
        const url = stage.alike['DATABASE_URL'] ?? '';
        const user = await makeUser(stage.database);
        const { access_token: token, refresh_token } = await signIn(stage, user);
        await expectRefusal(
          await stage.post('login', { email: user.email, password: 'wrong' }),
          'invalid_credentials',
        );
        // Every connection of the pool has answered with the columns.
        const mine = () => Promise.all(Array.from({ length: 20 }, () => stage.get('me', bearer(token))));
        expect((await mine()).map(({ status }) => status)).toEqual(Array<number>(20).fill(200));
        await openGate(stage.database);
        const archive = await folder.apply(url);
        for (const [route, body] of PASSWORD_ROUTES)
          await expectRefusal(await stage.post(route, body), 'password_retired');
        const change = { current_password: PASSWORD, new_password: `${PASSWORD} again` };
        await expectRefusal(await stage.post('change-password', change, bearer(token)), 'password_retired');
        expect((await mine()).map(({ status }) => status)).toEqual(Array<number>(20).fill(200));
        expect(await (await stage.get('me', bearer(token))).json()).toMatchObject({
          id: user.userId,
          auth_method: 'kanidm',
        });
        expect((await stage.get('sessions', bearer(token))).status).toBe(200);
        const pair = Pair.parse(await (await stage.post('refresh', { refresh_token })).json());
        expect((await stage.gateway.fetch('/me', { headers: bearer(pair.access_token) })).status).toBe(200);
        expect((await stage.post('logout', {}, bearer(pair.access_token))).status).toBe(204);
        await folder.restore(url, archive);
        const again = await signIn(stage, user);
        stage.secrets.push(pair.refresh_token);
        expect(again.user.auth_method).toBe('dual');
      });
    },
  );

  authSuite('a Node process that starts after it', { on: [node] }, (stage) => {
    it('loads no bcrypt, even when somebody signs in by password', async () => {
      const url = stage.alike['DATABASE_URL'] ?? '';
      const loaded = async (expected: number) => {
        const program = await nodeProgram({ ...stage.alike });
        const [, base = ''] = await program.printed(LISTENING);
        const answer = await fetch(`${base}/api/v1/auth/login`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ email: 'nobody@example.org', password: 'x' }),
        });
        expect(answer.status).toBe(expected);
        const maps = await readFile(`/proc/${program.pid}/maps`, 'utf8');
        program.kill('SIGTERM');
        await program.ended;
        return maps.includes('bcrypt');
      };
      await makeUser(stage.database);
      expect(await loaded(401)).toBe(true);
      await openGate(stage.database);
      await folder.apply(url);
      expect(await loaded(410)).toBe(false);
    });
  });

  describe.skipIf(pgBouncerMissing)('behind PgBouncer (needs the pgbouncer package)', () => {
    authSuite('a gateway behind a transaction pooler', { on: [node] }, (stage) => {
      it('meets no plan from before the columns were dropped', async () => {
        const url = stage.alike['DATABASE_URL'] ?? '';
        bouncer = await startPgBouncer(url, 3);
        const behind = await node.start({ ...stage.alike, DATABASE_URL: bouncer.through(url) });
        const user = await makeUser(stage.database);
        const { access_token: token } = await signIn(stage, user);
        const mine = () =>
          Promise.all(
            Array.from(
              { length: 20 },
              async () => (await behind.fetch('/api/v1/auth/me', { headers: bearer(token) })).status,
            ),
          );
        expect(new Set(await mine())).toEqual(new Set([200]));
        await openGate(stage.database);
        await folder.apply(url);
        expect(new Set(await mine())).toEqual(new Set([200]));
        const login = await behind.fetch('/api/v1/auth/login', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ email: user.email, password: PASSWORD }),
        });
        await expectRefusal(login, 'password_retired');
        await behind.close();
      });
    });
  });

  authSuite('commands and jobs after it', { on: [node] }, (stage) => {
    it('go on without the columns: people, tenants, figures, mail, pruning', async () => {
      const url = stage.alike['DATABASE_URL'] ?? '';
      const user = await makeUser(stage.database);
      await openGate(stage.database);
      await folder.apply(url);
      const variables = { ...stage.alike, FUNCTIONS: 'auth,invites,analytics' };
      for (const line of [
        `users show ${user.userId} --json`,
        'users export --all',
        'users runs',
        'tenants list --json',
        'audit list',
        'waves list',
        `users dossier ${user.userId}`,
        'db verify',
      ])
        expect(await folder.run(line, variables), line).toMatchObject({ code: 0 });
      expect(await folder.run('migration rollback --all --dry-run', variables)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('dropped by the clean-up') as unknown,
      });
      const listed = await folder.run('cron list --json', variables);
      const jobs = z.array(z.object({ job: z.string() })).parse(JSON.parse(listed.stdout));
      expect(jobs.map(({ job }) => job)).toContain('records-prune');
      for (const { job } of jobs)
        expect(await folder.run(`cron run ${job}`, variables), job).toMatchObject({
          code: 0,
          stderr: expect.not.stringContaining('42703') as unknown,
        });
      const [row] = await stage.database.query(
        sql`select count(*)::int as n from users`,
        z.object({ n: z.number() }),
      );
      expect(row?.n).toBeGreaterThan(0);
    });
  });
});

import { hashSync } from 'bcryptjs';
import { afterAll, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { startKanidm } from '../../dev/kanidm/index.ts';
import { startZitadel } from '../../dev/zitadel/index.ts';
import { ORGANIZATION } from '../../dev/zitadel/users.ts';
import { provision } from '../../shared/provisioning/provision.ts';
import { sql } from '../../shared/ports/database.ts';
import { openDirectory, signsInAtKanidm, signsInAtZitadel } from '../contracts/directory-support.ts';
import { depsOf } from '../provisioning/ground.ts';
import { userOfGroups, zitadelDirectory } from './directory.ts';
import { makeTenant, makeUser, PASSWORD, type MadeUser } from './people.ts';
import { authSuite, bearer, signIn, type AuthStage } from './suite.ts';

const zitadel = await startZitadel();
const kanidm = await startKanidm();
afterAll(async () => {
  await zitadel.close();
  await kanidm.close();
});

const projectId = zitadel.grants.createProject(ORGANIZATION, 'api');
const { directory: atZitadel, variables } = zitadelDirectory(zitadel, projectId);
const syncToken = kanidm.syncs.make('sallyport_sync');
const kanidmConfig = {
  provider: 'kanidm',
  issuer: kanidm.issuer('api'),
  url: kanidm.url,
  token: kanidm.token,
  syncToken,
} as const;
const atKanidm = openDirectory(kanidmConfig);

const NEW = 'three plain words';

/** At a cost that Zitadel takes. */
const HASH = hashSync(PASSWORD, 10);

const Row = z.object({ auth_method: z.string(), account: z.string().nullable(), ready: z.boolean() });

async function rowOf(stage: AuthStage, { userId }: MadeUser): Promise<z.output<typeof Row>> {
  const [row] = await stage.database.query(
    sql`select u.auth_method, (select subject from sallyport_links l where l.user_id = u.user_id) as account,
          exists (select from sallyport_people p where p.user_id = u.user_id and p.ready_at is not null) as ready
        from users u where u.user_id = ${userId}`,
    Row,
  );
  return row!;
}

const patiently = <T>(look: () => Promise<T>) => vi.waitUntil(look, { timeout: 600_000, interval: 20 });

const ZITADEL = {
  ...variables,
  ZITADEL_ORGANIZATION: ORGANIZATION,
  ZITADEL_PROJECT_ID: projectId,
  PASSWORD_COST: '10',
};

describe('the lazy door', () => {
  authSuite('to Zitadel', { variables: () => ZITADEL }, (stage) => {
    it('who signs in by password has an account there under the same id, and the password works at both', async () => {
      const user = await userOfGroups(stage, atZitadel, HASH);
      const { user: shown, migration } = await signIn(stage, user);
      expect([shown.auth_method, migration?.state]).toEqual(['password', 'not_invited']);
      await patiently(async () => (await rowOf(stage, user)).account !== null);
      expect(await rowOf(stage, user)).toMatchObject({ auth_method: 'dual', account: user.userId });
      expect(await signsInAtZitadel(zitadel, user.userId, PASSWORD)).toBe(true);
      expect((await signIn(stage, user)).migration?.state).toBe('provisioned');
    });

    it('a password that is changed here is the one there too, and the former counts at neither', async () => {
      const user = await userOfGroups(stage, atZitadel, HASH);
      await signIn(stage, user);
      await patiently(async () => (await rowOf(stage, user)).account !== null);
      const { access_token } = await signIn(stage, user);
      const change = { current_password: PASSWORD, new_password: NEW };
      expect((await stage.post('change-password', change, bearer(access_token))).status).toBe(204);
      await patiently(() => signsInAtZitadel(zitadel, user.userId, NEW));
      expect(await signsInAtZitadel(zitadel, user.userId, PASSWORD)).toBe(false);
    });

    it('and a bulk run at the same moment make one account', async () => {
      const user = await userOfGroups(stage, atZitadel, HASH);
      const request = { tenant: user.slug, limit: null, passwords: true, listed: null };
      const [, { counts }] = await Promise.all([
        Promise.all([signIn(stage, user), signIn(stage, user)]),
        provision(request, depsOf(stage.database, atZitadel)),
      ]);
      expect(counts.failed).toBe(0);
      await patiently(async () => (await rowOf(stage, user)).account !== null);
      expect(await rowOf(stage, user)).toMatchObject({ auth_method: 'dual', account: user.userId });
      const found = await atZitadel.find([user.userId]);
      expect(found).toMatchObject({ outcome: 'found', people: [{ id: user.userId }] });
    });

    it('neither delays nor fails a sign-in, whatever the provider does', async () => {
      const tenant = await makeTenant(stage.database);
      // Without groups at the provider nobody can be made there.
      const user = await makeUser(stage.database, { tenant, hash: HASH });
      await signIn(stage, user);
      await patiently(async () => stage.gateway.output().includes(user.userId));
      expect(stage.gateway.output()).not.toContain(PASSWORD);
      await signIn(stage, user);
    });
  });

  const KANIDM = {
    MIGRATION_PROVIDER: 'kanidm',
    KANIDM_ISSUER_URL: kanidmConfig.issuer,
    KANIDM_AUDIENCE: 'api',
    KANIDM_URL: kanidm.url,
    KANIDM_TOKEN: kanidm.token,
  };

  authSuite('to Kanidm', { variables: () => KANIDM }, (stage) => {
    it('who signs in by password is marked as ready, and goes nowhere', async () => {
      const user = await userOfGroups(stage, openDirectory({ ...kanidmConfig, syncToken: null }), HASH);
      await signIn(stage, user);
      expect(await rowOf(stage, user)).toEqual({ auth_method: 'password', account: null, ready: true });
    });
  });

  authSuite(
    'to Kanidm by sync',
    { variables: () => ({ ...KANIDM, KANIDM_SYNC_TOKEN: syncToken }) },
    (stage) => {
      it('the password goes along with the sign-in after provisioning, and works there', async () => {
        const user = await userOfGroups(stage, atKanidm, HASH);
        const request = { tenant: user.slug, limit: null, passwords: true, listed: null };
        await provision(request, depsOf(stage.database, atKanidm));
        const found = await atKanidm.find([user.userId]);
        const name = found.outcome === 'found' ? (found.people[0]?.name ?? '') : '';
        expect(await signsInAtKanidm(kanidm.url, name, PASSWORD)).toBe(false);
        const { access_token } = await signIn(stage, user);
        await patiently(() => signsInAtKanidm(kanidm.url, name, PASSWORD));
        const change = { current_password: PASSWORD, new_password: NEW };
        expect((await stage.post('change-password', change, bearer(access_token))).status).toBe(204);
        await patiently(() => signsInAtKanidm(kanidm.url, name, NEW));
      });
    },
  );
});

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Kanidm } from '../../dev/kanidm/index.ts';
import { sql } from '../../shared/ports/database.ts';
import { expectRefusal } from '../support/refusal.ts';
import { openBrowser, type Browser } from './oauth/browser.ts';
import { CLIENT, SIGN_IN, startWithKanidm, type AtKanidm, type WithKanidm } from './oauth/kanidm.ts';
import { link } from './oauth/people.ts';
import { address, group, KANIDM, leave, me } from './oauth/suite.ts';
import { makeTenant, makeUser } from './people.ts';
import { authSuite, signIn } from './suite.ts';

const REFRESH = '/api/v1/auth/oauth/refresh';

describe('with a stand-in that answers as Kanidm was recorded to', () => {
  let kanidm: Kanidm;
  let there: AtKanidm;
  let variables: WithKanidm['variables'];
  beforeAll(async () => {
    ({ kanidm, there, variables } = await startWithKanidm());
  });
  afterAll(async () => {
    await kanidm.close();
  });
  authSuite('sign-in by Kanidm', { variables: () => variables }, (stage) => {
    const open = () => openBrowser((target, sent) => stage.gateway.fetch(target, sent));
    const tenantOf = async (people: readonly string[]) => {
      for (const name of people) await there.join(SIGN_IN, name);
      const tenant = await makeTenant(stage.database);
      const name = `tenant_${tenant.slug}_users`;
      await group(stage.database, tenant, await there.group(name, people), 'member');
      return { ...tenant, group: name };
    };
    const named = () => `p${randomUUID().slice(0, 8)}`;
    const sign = async (browser: Browser, name: string) =>
      browser.get(await there.approve(await leave(browser, KANIDM), name));

    it('NEW user: OAuth2 works, under the account’s own id; expired token: refresh works', async () => {
      const [name, mail] = [named(), address()];
      const uuid = await there.person({ name, mail });
      const tenant = await tenantOf([name]);
      const browser = open();
      expect((await sign(browser, name)).status).toBe(303);
      expect(await me(browser)).toMatchObject({ id: uuid, email: mail, tenant: tenant.slug, role: 'user' });
      for (let turn = 0; turn < 3; turn += 1) expect((await browser.post(REFRESH)).status).toBe(200);
      expect((await me(browser)).id).toBe(uuid);
    });

    it('MIGRATED user: both, under one id', async () => {
      const user = await makeUser(stage.database, { authMethod: 'dual' });
      const name = named();
      await there.person({ name, uuid: user.userId, mail: user.email });
      await link(stage.database, user, user.userId, kanidm.issuer(CLIENT));
      await tenantOf([name]);
      const browser = open();
      expect((await sign(browser, name)).status).toBe(303);
      expect((await me(browser)).id).toBe(user.userId);
      expect((await signIn(stage, user)).user.id).toBe(user.userId);
    });

    it('a code counts once, although Kanidm takes it twice', async () => {
      const name = named();
      await there.person({ name, mail: address() });
      await tenantOf([name]);
      const [browser, other] = [open(), open()];
      const back = await there.approve(await leave(browser, KANIDM), name);
      for (const [key, value] of browser.cookies) other.cookies.set(key, value);
      expect((await browser.get(back)).status).toBe(303);
      await expectRefusal(await other.get(back), 'invalid_callback');
    });

    it('revoked Kanidm session: the refresh ends ours, as does a disabled account', async () => {
      for (const end of ['signOut', 'disable'] as const) {
        const name = named();
        await there.person({ name, mail: address() });
        await tenantOf([name]);
        const browser = open();
        await sign(browser, name);
        await there[end](name);
        const kept = [...browser.cookies].map(([key, value]) => `${key}=${value}`).join('; ');
        await expectRefusal(await browser.post(REFRESH), 'invalid_refresh');
        await expectRefusal(await open().get('/api/v1/auth/me', { cookie: kept }), 'invalid_token');
      }
    });

    it('who left the tenant’s group is out at the refresh, which Kanidm itself grants', async () => {
      const name = named();
      await there.person({ name, mail: address() });
      const tenant = await tenantOf([name]);
      const browser = open();
      await sign(browser, name);
      expect((await browser.post(REFRESH)).status).toBe(200);
      await there.leave(tenant.group, name);
      await expectRefusal(await browser.post(REFRESH), 'invalid_refresh');
    });

    it('no_tenant, where groups stand for none', async () => {
      const name = named();
      await there.person({ name, mail: address() });
      const tenant = await tenantOf([name]);
      await stage.database.execute(
        sql`delete from kanidm_tenant_groups where tenant_id = ${tenant.tenantId}`,
      );
      await expectRefusal(await sign(open(), name), 'no_tenant');
    });
  });
});

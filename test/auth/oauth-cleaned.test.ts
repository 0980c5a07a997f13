import { readFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { groupUuid } from '../../shared/identity/tenant-groups.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { expectRefusal } from '../support/refusal.ts';
import { startCounted, type Counted } from './counted.ts';
import { openBrowser } from './oauth/browser.ts';
import { startProvider, type FakeProvider } from './oauth/provider.ts';
import { address, group, makeGroupedTenant, me, providerVariables, signInAt } from './oauth/suite.ts';

const postgres = DATABASES[1];
const GATED = new URL('../../migrations/gated/20250199999999_remove_password_auth.sql', import.meta.url);

describe.skipIf(postgres.missing)(
  'sign-in by the provider once passwords are dropped (needs the postgresql package)',
  () => {
    let db: MigratedDatabase;
    let auth: Counted;
    let kanidm: FakeProvider;
    let zitadel: FakeProvider;
    beforeAll(async () => {
      db = await postgres.start();
      const client = new Client({ connectionString: db.url });
      await client.connect();
      await client.query(await readFile(GATED, 'utf8'));
      await client.end();
      [kanidm, zitadel] = await Promise.all([startProvider('kanidm'), startProvider('zitadel')]);
      auth = await startCounted(db.url, providerVariables(kanidm, zitadel));
    });
    afterAll(async () => {
      await auth.close();
      await Promise.all([kanidm.close(), zitadel.close()]);
      await db.close();
    });

    it('goes on for who is new and for who is known, by a subject that is a uuid or none', async () => {
      const tenant = await makeGroupedTenant(db.database);
      await group(db.database, tenant, groupUuid(zitadel.url, tenant.tenantId), 'member');
      const owner = { 'urn:zitadel:iam:user:resourceowner:id': tenant.tenantId };
      for (const [provider, name, account] of [
        [kanidm, 'kanidm', { sub: randomUUID(), email: address(), groups: [tenant.admins] }],
        [zitadel, 'zitadel', { sub: `35${Date.now()}`, email: address(), ...owner }],
      ] as const) {
        const ids = new Set<string>();
        for (let time = 0; time < 2; time += 1) {
          const browser = openBrowser((target, sent) => auth.send(target, sent));
          expect((await signInAt(browser, provider, account, { provider: name })).status).toBe(303);
          const shown = await me(browser);
          expect(shown).toMatchObject({ email: account.email, auth_method: 'kanidm' });
          ids.add(shown.id);
          expect((await browser.post('/api/v1/auth/oauth/refresh')).status).toBe(200);
        }
        expect(ids.size).toBe(1);
      }
      await expectRefusal(await auth.post('login', { email: address(), password: 'x' }), 'password_retired');
    });
  },
);

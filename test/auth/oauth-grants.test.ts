import { randomUUID } from 'node:crypto';
import { expect, it, vi } from 'vitest';
import * as z from 'zod';
import { groupUuid } from '../../shared/identity/tenant-groups.ts';
import { sql } from '../../shared/ports/database.ts';
import { envelope } from '../webhooks/events.ts';
import { signature } from '../webhooks/sign.ts';
import { address, group, linkedTo, makeGroupedTenant, oauthSuite, signInAt } from './oauth/suite.ts';

const KEY = 'signing-key-of-this-test';
const RELATION = 'admin';
const OBJECT = 'feature:admin_panel';

const variables = {
  WEBHOOK_SIGNING_KEYS: KEY,
  SHARED_SUBJECT_ISSUERS: 'session,zitadel',
  MIGRATION_PROVIDER: 'zitadel',
  DEFAULT_GRANTS: JSON.stringify([{ relation: RELATION, object: OBJECT }]),
};
/** Far above what anything takes: only what never happens gets there. */
const WAIT = { timeout: 600_000, interval: 20 };
const Left = z.object({ id: z.string() });

oauthSuite('a new account at Zitadel', variables, (stage) => {
  const allowed = async (user: string): Promise<boolean> => {
    const { OPENFGA_STORE_ID: store = '' } = stage.variables;
    const answer = await fetch(`${stage.openfga.url}/stores/${store}/check`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ tuple_key: { user, relation: RELATION, object: OBJECT } }),
    });
    return z.object({ allowed: z.boolean().default(false) }).parse(await answer.json()).allowed;
  };
  const settled = () =>
    vi.waitUntil(async () => {
      const left = sql`select id from sallyport_webhook_events where status <> 'applied'`;
      return (await stage.database.query(left, Left)).length === 0;
    }, WAIT);

  it('what it got by default is the user’s as soon as they have signed in, and by either door', async () => {
    const tenant = await makeGroupedTenant(stage.database);
    await group(stage.database, tenant, groupUuid(stage.zitadel.url, tenant.tenantId), 'member');
    const sub = `3${randomUUID().replace(/\D/g, '').slice(0, 15)}`;
    const body = JSON.stringify({ ...envelope({ user: sub }), created_at: new Date().toISOString() });
    const headers = { 'zitadel-signature': signature(KEY, body) };
    const sent = await stage.gateway.fetch('/webhooks/zitadel', { method: 'POST', headers, body });
    expect(sent.status).toBe(202);
    await settled();
    expect(await allowed(`user:${sub}`)).toBe(true);
    const browser = stage.browser();
    const claims = { 'urn:zitadel:iam:user:resourceowner:id': tenant.tenantId };
    const answer = await signInAt(
      browser,
      stage.zitadel,
      { sub, email: address(), ...claims },
      { provider: 'zitadel' },
    );
    expect(answer.status).toBe(303);
    await settled();
    const [{ user_id: user } = { user_id: '' }] = await linkedTo(stage.database, stage.zitadel.url, sub);
    expect(user).not.toBe(sub);
    expect([await allowed(`user:${user}`), await allowed(`user:${sub}`)]).toEqual([true, false]);
  });
});

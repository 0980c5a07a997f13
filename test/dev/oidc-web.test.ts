import { createHash, randomBytes } from 'node:crypto';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { startOidc, type OidcServer } from '../../dev/oidc/index.ts';
import { startZitadel, type Zitadel } from '../../dev/zitadel/index.ts';
import { directoryOf } from '../../dev/zitadel/sign-in.ts';
import { ORGANIZATION } from '../../dev/zitadel/users.ts';
import { groupsOfZitadel, groupUuid, zitadelGroupScopes } from '../../shared/identity/tenant-groups.ts';
import { serve, type Served } from '../support/serve.ts';
import { formBrowser } from './browser.ts';

const CALLBACK = 'http://127.0.0.1:3000/api/v1/auth/oauth/callback/zitadel';
const CLIENT = 'sallyport-web';
const SECRET = 'web-secret';
const PASSWORD = 'Old-legacy-pw-2019!';
const HASH = '$2b$10$Vd7S1b8ZTOuVVXQ8nTqCPumZmFLSKU0KKUUPPAaowab6hA/5ZA/gq';
const ID = '018f3a5e-7c1a-7b3c-8d2e-1f2a3b4c5d6e';

const Tokens = z.object({ access_token: z.string(), id_token: z.string(), refresh_token: z.string() });

describe('a web application at the OpenID provider', () => {
  let zitadel: Zitadel;
  let oidc: OidcServer;
  let receiver: Served;
  let projectId: string;
  const received: string[] = [];
  beforeAll(async () => {
    receiver = await serve(0, async (request) => {
      received.push(new URLSearchParams(await request.text()).get('logout_token') ?? '');
      return new Response(null, { status: 200 });
    });
    zitadel = await startZitadel();
    projectId = zitadel.grants.createProject(ORGANIZATION, 'api');
    zitadel.grants.addRole(projectId, 'tenant_acme_admins', 'x');
    zitadel.users.create({ id: ID, userName: 'alice@example.org', hash: HASH });
    const grant = { userId: ID, projectId, organizationId: ORGANIZATION, roleKeys: ['tenant_acme_admins'] };
    zitadel.grants.authorize(grant);
    oidc = await startOidc({
      directory: directoryOf(zitadel),
      webClient: {
        ...{ id: CLIENT, secret: SECRET, redirectUris: [CALLBACK], projectId },
        backchannelLogoutUri: `${receiver.url}/backchannel-logout`,
      },
    });
  });
  afterAll(async () => {
    await oidc.close();
    await zitadel.close();
    await receiver.close();
  });

  const signIn = async (name: string, password: string) => {
    const verifier = randomBytes(32).toString('base64url');
    const visit = formBrowser(oidc.url);
    const query = new URLSearchParams({
      ...{ response_type: 'code', client_id: CLIENT, redirect_uri: CALLBACK, state: 'st1', nonce: 'n1' },
      scope: ['openid profile email offline_access', ...zitadelGroupScopes(projectId)].join(' '),
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      login_hint: name,
    });
    const { location: interaction } = await visit(`/oauth/v2/authorize?${query.toString()}`);
    expect((await visit(interaction)).page).toContain(name);
    const entered = await visit(interaction, { name, password });
    if (entered.status !== 303) return { status: entered.status, code: '', verifier };
    const back = new URL((await visit(entered.location)).location);
    return { status: 303, code: back.searchParams.get('code') ?? '', verifier };
  };

  const token = async (form: Readonly<Record<string, string>>) => {
    const answer = await fetch(`${oidc.url}/oauth/v2/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${CLIENT}:${SECRET}`)}` },
      body: new URLSearchParams(form),
    });
    const body: unknown = await answer.json();
    return { status: answer.status, body };
  };
  const tokens = async () => {
    const { code, verifier } = await signIn('alice@example.org', PASSWORD);
    const form = { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: CALLBACK };
    return Tokens.parse((await token(form)).body);
  };

  it('signs people in by the password whose hash came along, and nobody by another', async () => {
    expect((await signIn('alice@example.org', 'wrong')).status).toBe(400);
    expect((await signIn('nobody@example.org', PASSWORD)).status).toBe(400);
    const { id_token: idToken } = await tokens();
    expect(decodeJwt(idToken)).toMatchObject({ iss: oidc.url, aud: CLIENT, sub: ID, nonce: 'n1' });
    expect(decodeJwt(idToken)['sid']).toBeTypeOf('string');
  });

  it('shows organisation and roles in userinfo, by which the groups of a tenant are found', async () => {
    const { access_token: access } = await tokens();
    const answer = await fetch(`${oidc.url}/oidc/v1/userinfo`, {
      headers: { authorization: `Bearer ${access}` },
    });
    const claims: unknown = await answer.json();
    expect(claims).toMatchObject({ sub: ID, email: 'alice@example.org', email_verified: true });
    expect(groupsOfZitadel({ issuer: oidc.url, projectId }, claims)).toEqual([
      groupUuid(oidc.url, ORGANIZATION),
      groupUuid(oidc.url, ORGANIZATION, 'tenant_acme_admins'),
    ]);
  });

  it('refreshes while the person is active, and no longer', async () => {
    const { refresh_token: first } = await tokens();
    const refreshed = await token({ grant_type: 'refresh_token', refresh_token: first });
    expect(refreshed.status).toBe(200);
    const { refresh_token: second } = Tokens.parse(refreshed.body);
    zitadel.users.deactivate(ID);
    expect((await token({ grant_type: 'refresh_token', refresh_token: second })).status).toBe(400);
    zitadel.users.reactivate(ID);
  });

  it('gets a logout token for each session of who signs out, that its keys verify', async () => {
    received.length = 0;
    const { id_token: idToken } = await tokens();
    expect(await oidc.signOut(ID)).toBe(received.length);
    expect(received.length).toBeGreaterThan(0);
    const keys = createRemoteJWKSet(new URL(`${oidc.url}/oauth/v2/keys`));
    const { payload } = await jwtVerify(received.at(-1)!, keys, { issuer: oidc.url, audience: CLIENT });
    expect(payload).toMatchObject({
      sub: ID,
      sid: decodeJwt(idToken)['sid'],
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    });
    expect(payload['nonce']).toBeUndefined();
    expect(await oidc.signOut(ID)).toBe(0);
  });
});

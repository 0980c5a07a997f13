import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { startKanidm, type Kanidm } from '../../dev/kanidm/index.ts';
import { kanidmRecordingsMissing } from '../contracts/kanidm-recordings.ts';
import { manualClock } from '../support/clock.ts';
import { formBrowser } from './browser.ts';

/** Long because one stand-in answers all of it. */
const Tokens = z.object({ access_token: z.string(), id_token: z.string(), refresh_token: z.string() });
type Tokens = z.output<typeof Tokens>;

const CALLBACK = 'http://127.0.0.1:3000/api/v1/auth/oauth/callback/kanidm';
const SECRET = 'client-secret';
const PASSWORD = 'correct horse battery staple';
const ID = '018f3a5e-7c1a-7b3c-8d2e-1f2a3b4c5d6e';
const SCOPES = 'openid profile email groups offline_access';

describe('the stand-in for Kanidm', () => {
  let kanidm: Kanidm;
  const clock = manualClock();
  beforeAll(async () => {
    kanidm = await startKanidm({ clock });
    await api('POST', '/v1/person', {
      attrs: { name: ['dave'], displayname: ['Dave'], mail: ['dave@example.org'], uuid: [ID] },
    });
    await api('POST', '/v1/group', { attrs: { name: ['tenant_one_users'], member: ['dave'] } });
    kanidm.setPassword(ID, PASSWORD);
    const scopes = { tenant_one_users: SCOPES.split(' ') };
    await kanidm.addClient({ name: 'api', secret: SECRET, redirectUris: [CALLBACK], scopes });
  });
  afterAll(() => kanidm.close());

  const api = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const answer = await fetch(kanidm.url + path, {
      method,
      headers: { authorization: `Bearer ${kanidm.token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    expect(answer.status).toBe(200);
    return answer.json();
  };

  const browser = () => formBrowser(kanidm.url);

  const authorizeUrl = (verifier: string, changes: Readonly<Record<string, string>> = {}): string => {
    const query = {
      response_type: 'code',
      client_id: 'api',
      redirect_uri: CALLBACK,
      scope: SCOPES,
      state: 'st1',
      nonce: 'n1',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...changes,
    };
    return `/ui/oauth2?${new URLSearchParams(query).toString()}`;
  };

  const signIn = async (visit = browser()): Promise<{ code: string; verifier: string }> => {
    const verifier = randomBytes(32).toString('base64url');
    let at = await visit(authorizeUrl(verifier));
    if (at.location === '') {
      await visit('/ui/login/begin', { username: 'dave' });
      expect(await visit('/ui/login/pw', { username: 'dave', password: PASSWORD })).toMatchObject({
        status: 303,
        location: '/ui/oauth2/resume',
      });
      at = await visit('/ui/oauth2/resume');
      const consent = /name="consent_token" value="([^"]+)"/.exec(at.page)?.[1];
      if (consent !== undefined) at = await visit('/ui/oauth2/consent', { consent_token: consent });
    }
    const back = new URL(at.location);
    expect(back.searchParams.get('state')).toBe('st1');
    expect(back.searchParams.get('iss')).toBeNull();
    return { code: back.searchParams.get('code') ?? '', verifier };
  };

  const token = async (form: Readonly<Record<string, string>>, secret = SECRET) => {
    const answer = await fetch(`${kanidm.url}/oauth2/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`api:${secret}`)}` },
      body: new URLSearchParams(form),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? '' : (JSON.parse(text) as unknown) };
  };
  const redeem = async (visit?: ReturnType<typeof browser>): Promise<Tokens> => {
    const { code, verifier } = await signIn(visit);
    const form = { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: CALLBACK };
    return Tokens.parse((await token(form)).body);
  };
  const userinfo = async (access: string) => {
    const answer = await fetch(`${kanidm.issuer('api')}/userinfo`, {
      headers: { authorization: `Bearer ${access}` },
    });
    return { status: answer.status, body: z.looseObject({}).parse(await answer.json()) };
  };
  const refresh = (refresh_token: string) => token({ grant_type: 'refresh_token', refresh_token });

  it.skipIf(kanidmRecordingsMissing)(
    'issues tokens with the headers and claims of recorded ones (needs ../shared/recordings)',
    async () => {
      const Sample = z.object({ header: z.looseObject({}), claims: z.looseObject({}) });
      const file = new URL('../../../shared/recordings/kanidm/05_sample_claims.json', import.meta.url);
      const samples = z
        .object({ access_token: Sample, id_token: Sample })
        .parse(JSON.parse(readFileSync(file, 'utf8')));
      const tokens = await redeem();
      for (const kind of ['access_token', 'id_token'] as const) {
        const { header, claims } = samples[kind];
        expect(Object.keys(decodeProtectedHeader(tokens[kind])).sort()).toEqual(Object.keys(header).sort());
        // The recorded client had a map of claims beside.
        const members = Object.keys(claims).filter((name) => name !== 'tenant');
        expect(Object.keys(decodeJwt(tokens[kind])).sort()).toEqual(members.sort());
      }
      expect(decodeProtectedHeader(tokens.access_token).typ).toBe('at+jwt');
      expect(decodeProtectedHeader(tokens.id_token).typ).toBeUndefined();
      expect(tokens.refresh_token.split('.')).toHaveLength(5);
    },
  );

  it('puts groups by uuid and name into userinfo, never into the access token', async () => {
    const { access_token: access } = await redeem();
    const { body } = await userinfo(access);
    expect(body['groups']).toContain('tenant_one_users@localhost');
    expect(body['groups']).toContain('00000000-0000-0000-0000-000000000035');
    expect(decodeJwt(access)).toMatchObject({ sub: ID, iss: kanidm.issuer('api'), aud: 'api' });
    expect(decodeJwt(access)['groups']).toBeUndefined();
  });

  it('takes a code twice within its minute, with the right verifier and secret alone', async () => {
    const { code, verifier } = await signIn();
    const form = { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: CALLBACK };
    expect(await token(form, 'wrong')).toEqual({ status: 401, body: '' });
    expect(await token({ ...form, code_verifier: 'x'.repeat(43) })).toEqual({
      status: 400,
      body: { error: 'invalid_request' },
    });
    expect([(await token(form)).status, (await token(form)).status]).toEqual([200, 200]);
    clock.advance(61);
    expect((await token(form)).status).toBe(400);
  });

  it('rotates refresh tokens, and ends all of a sign-in when an old one is used', async () => {
    const { refresh_token: first } = await redeem();
    const second = Tokens.parse((await refresh(first)).body);
    expect((await refresh(first)).body).toEqual({ error: 'invalid_grant' });
    expect((await refresh(second.refresh_token)).body).toEqual({ error: 'invalid_grant' });
    expect(await userinfo(second.access_token)).toMatchObject({
      status: 401,
      body: { error: 'invalid_token' },
    });
  });

  it('introspects without a client, and tells its own tokens from others', async () => {
    const { access_token: access, id_token: idToken, refresh_token: first } = await redeem();
    const introspect = async (text: string, route = 'introspect') => {
      const body = new URLSearchParams({ token: text });
      const answer = await fetch(`${kanidm.url}/oauth2/token/${route}`, { method: 'POST', body });
      const read = await answer.text();
      return { status: answer.status, body: read === '' ? '' : (JSON.parse(read) as unknown) };
    };
    expect(await introspect(access)).toMatchObject({ status: 200, body: { active: true, sub: ID } });
    expect(await introspect(first)).toMatchObject({ status: 200, body: { active: false } });
    expect(await introspect('garbage')).toEqual({ status: 401, body: '' });
    expect(await introspect(idToken)).toEqual({ status: 400, body: { error: 'invalid_request' } });
    expect(await introspect(access, 'revoke')).toEqual({ status: 200, body: '' });
    expect(await introspect(access)).toMatchObject({ status: 200, body: { active: false } });
    expect((await refresh(first)).body).toEqual({ error: 'invalid_grant' });
  });

  it('lets nothing of an expired account count, and everything again once it is enabled', async () => {
    const tokens = await redeem();
    await api('PUT', `/v1/person/${ID}/_attr/account_expire`, ['1970-01-01T00:00:00Z']);
    expect((await userinfo(tokens.access_token)).status).toBe(401);
    expect((await refresh(tokens.refresh_token)).status).toBe(400);
    await api('DELETE', `/v1/person/${ID}/_attr/account_expire`);
    expect((await userinfo(tokens.access_token)).status).toBe(200);
  });

  it('goes on refreshing who left the group, and lets them start no other sign-in', async () => {
    const visit = browser();
    const { refresh_token: token } = await redeem(visit);
    await api('DELETE', '/v1/group/tenant_one_users/_attr/member', ['dave']);
    expect((await refresh(token)).status).toBe(200);
    expect((await visit(authorizeUrl('x'.repeat(43)))).status).toBe(403);
    await api('POST', '/v1/group/tenant_one_users/_attr/member', ['dave']);
  });

  it('asks for no consent twice, and refuses what no client may ask', async () => {
    const visit = browser();
    await redeem(visit);
    expect((await visit(authorizeUrl('y'.repeat(43)))).status).toBe(303);
    const wrong = {
      redirect_uri: 'http://127.0.0.1:3000/evil',
      code_challenge: '',
      client_id: 'none',
      prompt: 'none',
    };
    for (const [name, value] of Object.entries(wrong))
      expect((await visit(authorizeUrl('y'.repeat(43), { [name]: value }))).status).toBe(400);
    expect((await visit(authorizeUrl('y'.repeat(43), { scope: 'openid secret' }))).status).toBe(403);
  });

  it('sets a credential behind a reset link, which a visit does not spend but another visit disturbs', async () => {
    const { token } = z
      .object({ token: z.string() })
      .parse(await api('GET', `/v1/person/${ID}/_credential/_update_intent/600`));
    const link = `/ui/reset?token=${token}`;
    const [person, scanner] = [browser(), browser()];
    await person(link);
    await scanner(link);
    const both = { new_password: PASSWORD, new_password_check: PASSWORD };
    await person('/ui/reset/add_password', both);
    expect((await person('/ui/api/cu_commit', {})).status).toBe(500);
    await person(link);
    await person('/ui/reset/add_password', both);
    expect((await person('/ui/api/cu_commit', {})).status).toBe(200);
    expect((await person(link)).page).toContain('used, expired or unknown');
  });

  it('frees the id of a deleted person after seven days', async () => {
    const attrs = { name: ['gone'], displayname: ['x'], uuid: ['0d9f3c1e-7a52-4b57-9e1d-5a3f0c2b7d11'] };
    await api('POST', '/v1/person', { attrs });
    await api('DELETE', '/v1/person/gone');
    const again = () =>
      fetch(`${kanidm.url}/v1/person`, {
        method: 'POST',
        headers: { authorization: `Bearer ${kanidm.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ attrs }),
      });
    expect((await again()).status).toBe(500);
    clock.advance(7 * 86_400);
    expect((await again()).status).toBe(200);
  });
});

import { beforeEach, describe, expect, it } from 'vitest';
import { openSignIn } from '../../../shared/adapters/oauth4webapi/sign-in.ts';
import type { OAuthClient } from '../../../shared/configuration/oauth-clients.ts';
import { ProviderUnavailable } from '../../../shared/errors.ts';
import { openIssuers } from '../../../shared/keys/issuer.ts';
import type { SignIn } from '../../../shared/ports/sign-in.ts';
import { manualClock } from '../../support/clock.ts';
import { createIssuer, type FakeIssuer } from '../../support/issuer.ts';
import { providerDeps, type TestDeps } from '../../support/provider-deps.ts';

const URL_OF = 'https://issuer.test';
const REQUEST = {
  redirectUri: 'https://app.example.org/back',
  state: 's'.repeat(43),
  nonce: 'n'.repeat(43),
  verifier: 'v'.repeat(43),
};

interface Sent {
  readonly authorization: string | null;
  readonly form: Readonly<Record<string, string>>;
}

let issuer: FakeIssuer;
let deps: TestDeps;
let sent: Sent[];
let answer: Record<string, unknown>;

function open(config: Partial<OAuthClient> = {}): SignIn {
  const client: OAuthClient = {
    provider: 'kanidm',
    issuer: URL_OF,
    clientId: 'app_one',
    clientSecret: 'a secret+',
    projectId: null,
    ...config,
  };
  return openSignIn(client, { ...deps, issuer: openIssuers(deps)(URL_OF), timeoutMs: 50 });
}

beforeEach(async () => {
  // The library's own clock is the system's.
  const clock = manualClock(Date.now());
  sent = [];
  answer = {};
  issuer = await createIssuer({
    url: URL_OF,
    clock,
    endpoints: {
      '/token': async (request) => {
        const form = Object.fromEntries(new URLSearchParams(await request.text()));
        sent.push({ authorization: request.headers.get('authorization'), form });
        const id_token = await issuer.sign({ aud: 'app_one', nonce: REQUEST.nonce, sub: 'alice' });
        return Response.json({ access_token: 'opaque', token_type: 'Bearer', id_token, ...answer });
      },
    },
  });
  Object.assign(issuer.metadata, {
    authorization_endpoint: `${URL_OF}/authorize?kept=1`,
    token_endpoint: `${URL_OF}/token`,
    userinfo_endpoint: `${URL_OF}/userinfo`,
  });
  deps = providerDeps(issuer.fetch, undefined, clock);
});

const redeem = (signIn: SignIn) =>
  signIn.redeem({ ...REQUEST, parameters: new URLSearchParams({ code: 'c', state: REQUEST.state }) });
const scopesOf = async (signIn: SignIn) =>
  new URL(await signIn.authorizationUrl({ ...REQUEST, loginHint: null })).searchParams
    .get('scope')
    ?.split(' ');

describe('scopes', () => {
  it('of Kanidm are those that its document lists, and a new scope map counts after a minute at most', async () => {
    Object.assign(issuer.metadata, { scopes_supported: [] });
    const signIn = open();
    expect(await scopesOf(signIn)).toEqual(['openid']);
    Object.assign(issuer.metadata, { scopes_supported: ['openid', 'groups', 'email'] });
    expect(await scopesOf(signIn)).toEqual(['openid']);
    deps.clock.advance(60);
    expect(await scopesOf(signIn)).toEqual(['openid', 'email', 'groups']);
  });

  it('are all of them where the document lists none, or cannot be had again', async () => {
    expect(await scopesOf(open())).toEqual(['openid', 'profile', 'email', 'groups']);
    Object.assign(issuer.metadata, { scopes_supported: ['openid'] });
    const signIn = open();
    expect(await scopesOf(signIn)).toEqual(['openid']);
    deps.clock.advance(60);
    issuer.faults.set('*', 'status');
    expect(await scopesOf(signIn)).toEqual(['openid']);
  });

  it('of Zitadel tell the organisation, the roles of the project and keep the session', async () => {
    expect(await scopesOf(open({ provider: 'zitadel', projectId: '7' }))).toEqual([
      ...['openid', 'profile', 'email', 'offline_access', 'urn:zitadel:iam:user:resourceowner'],
      ...['urn:zitadel:iam:org:projects:roles', 'urn:zitadel:iam:org:project:id:7:aud'],
    ]);
  });
});

describe('the client', () => {
  it('is named to Kanidm in the body, which takes the header as it is, and to Zitadel by Basic', async () => {
    await redeem(open());
    await redeem(open({ provider: 'zitadel' }));
    await redeem(open({ clientSecret: null }));
    const [kanidm, zitadel, secretless] = sent;
    expect(kanidm).toMatchObject({
      authorization: null,
      form: { client_id: 'app_one', client_secret: 'a secret+' },
    });
    const basic = Buffer.from(zitadel!.authorization!.replace('Basic ', ''), 'base64').toString();
    // RFC 6749 §2.3.1: both are encoded as a form is.
    const decoded = new URLSearchParams(basic.replace(':', '='));
    expect(Object.fromEntries(decoded)).toEqual({ app_one: 'a secret+' });
    expect(zitadel!.form).not.toHaveProperty('client_secret');
    expect(secretless).toMatchObject({ authorization: null, form: { client_id: 'app_one' } });
    expect(secretless!.form).not.toHaveProperty('client_secret');
  });

  it('sends code, verifier and redirect URI once', async () => {
    expect(await redeem(open())).toMatchObject({
      outcome: 'signed-in',
      account: { issuer: URL_OF, subject: 'alice', email: null, groups: [], complete: false },
      tokens: { access: 'opaque', refresh: null },
    });
    expect(sent.map(({ form }) => form)).toMatchObject([
      {
        grant_type: 'authorization_code',
        code: 'c',
        code_verifier: REQUEST.verifier,
        redirect_uri: REQUEST.redirectUri,
      },
    ]);
  });

  it('keeps what the authorization endpoint’s own query has', async () => {
    const url = new URL(await open().authorizationUrl({ ...REQUEST, loginHint: null }));
    expect(url.searchParams.get('kept')).toBe('1');
  });
});

describe('a provider that', () => {
  it.each(['refused', 'hangs', 'status', 'garbage'] as const)('%s is unavailable, in time', async (fault) => {
    const signIn = open();
    await redeem(signIn);
    issuer.faults.set('/token', fault);
    issuer.faults.set('/userinfo', fault);
    await expect(redeem(signIn)).rejects.toBeInstanceOf(ProviderUnavailable);
    await expect(signIn.refresh('r')).rejects.toBeInstanceOf(ProviderUnavailable);
    await expect(signIn.account('a', 'alice')).rejects.toBeInstanceOf(ProviderUnavailable);
  });

  it('cannot be found at all is unavailable before anything is sent', async () => {
    issuer.faults.set('*', 'refused');
    await expect(open().authorizationUrl({ ...REQUEST, loginHint: null })).rejects.toBeInstanceOf(
      ProviderUnavailable,
    );
    await expect(redeem(open())).rejects.toBeInstanceOf(ProviderUnavailable);
    expect(sent).toEqual([]);
  });

  it.each([
    ['token_endpoint', 'http://issuer.test/token'],
    ['token_endpoint', undefined],
    ['authorization_endpoint', 'http://issuer.test/authorize'],
  ])('has %s %s is unavailable: neither codes nor people go there', async (name, endpoint) => {
    Object.assign(issuer.metadata, { [name]: endpoint });
    const signIn = open();
    const attempt =
      name === 'token_endpoint' ? redeem(signIn) : signIn.authorizationUrl({ ...REQUEST, loginHint: null });
    await expect(attempt).rejects.toBeInstanceOf(ProviderUnavailable);
    expect(sent).toEqual([]);
  });

  it('answers about another subject, or of a token that it ended, tells nothing', async () => {
    issuer.userinfo.set('bob', { sub: 'bob', groups: [] });
    const signIn = open();
    const [bob, ended] = [await issuer.sign({ sub: 'bob' }), await issuer.sign({ sub: 'carol' })];
    expect(await signIn.account(bob, 'bob')).toMatchObject({ outcome: 'account' });
    expect(await signIn.account(bob, 'alice')).toMatchObject({ outcome: 'declined' });
    expect(await signIn.account(ended, 'carol')).toMatchObject({ outcome: 'declined' });
  });
});

describe('a token type', () => {
  it('that is no bearer’s is declined', async () => {
    answer = { token_type: 'mac' };
    expect(await redeem(open())).toMatchObject({ outcome: 'declined' });
  });
});

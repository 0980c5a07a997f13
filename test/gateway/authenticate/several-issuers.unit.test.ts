import { beforeEach, describe, expect, it } from 'vitest';
import { trust } from '../../../functions/gateway/authenticate/trust.ts';
import type { IssuerConfig } from '../../../shared/configuration/issuers.ts';
import { createIssuer, type FakeIssuer } from '../../support/issuer.ts';
import { providerDeps } from '../../support/provider-deps.ts';

const PATH = '/oauth/v2/introspect';
const TOKEN = 'opaque';

let first: FakeIssuer;
let second: FakeIssuer;
let ask: (token: string) => Promise<unknown>;

const asked = (issuer: FakeIssuer): number => issuer.requests.filter((path) => path === PATH).length;
const active = (claims: object = {}) => ({
  active: true,
  sub: 'robot',
  client_id: 'app',
  aud: 'api',
  ...claims,
});

beforeEach(async () => {
  const client = { id: 'gateway', secret: 'secret' };
  first = await createIssuer({ url: 'https://first.test', client });
  second = await createIssuer({ url: 'https://second.test', client });
  const deps = providerDeps((url, init) => (url.startsWith(first.url) ? first : second).fetch(url, init));
  const issuers = [first, second].map(({ url }, at): IssuerConfig => ({
    name: `issuer_${at}`,
    url,
    audiences: ['api', 'gateway'],
    sharedSubjects: false,
    typ: 'any',
  }));
  const introspection = issuers.map((issuer) => ({
    issuer,
    clientId: client.id,
    clientSecret: client.secret,
    organizations: [],
  }));
  const { verifyOpaque } = trust({ issuers, introspection }, deps);
  ask = async (token) => verifyOpaque?.(token, '192.0.2.1');
});

describe('an opaque token, where several providers can be asked', () => {
  it('is of the first that calls it active, and no further one gets to see it', async () => {
    first.opaque.set(TOKEN, active());
    expect(await ask(TOKEN)).toMatchObject({ identity: { user: 'user:issuer_0|robot' } });
    expect(asked(second)).toBe(0);
  });

  it('is of the second when the first does not know it', async () => {
    second.opaque.set(TOKEN, active());
    expect(await ask(TOKEN)).toMatchObject({ identity: { user: 'user:issuer_1|robot' } });
  });

  it('is of the second also while the first is away', async () => {
    first.faults.set('*', 'refused');
    second.opaque.set(TOKEN, active());
    expect(await ask(TOKEN)).toMatchObject({ identity: { user: 'user:issuer_1|robot' } });
  });

  it('that nobody calls active is 503 while one is away, and refused when all have answered', async () => {
    first.faults.set(PATH, 'refused');
    await expect(ask(TOKEN)).rejects.toMatchObject({ name: 'ProviderUnavailable' });
    first.faults.clear();
    expect(await ask('other')).toMatchObject({ refusal: { reason: 'inactive' } });
  });

  it('is not offered to the second when the first has refused its audience', async () => {
    first.opaque.set(TOKEN, active({ aud: 'other' }));
    expect(await ask(TOKEN)).toMatchObject({ refusal: { code: 'invalid_token' } });
    expect(asked(second)).toBe(0);
  });

  it('may be meant for our own client, where the provider is not Zitadel and says whose it is', async () => {
    second.opaque.set(TOKEN, active({ aud: ['gateway'] }));
    expect(await ask(TOKEN)).toMatchObject({ identity: { user: 'user:issuer_1|robot' } });
    second.opaque.set('nobody', active({ aud: ['gateway'], client_id: undefined }));
    expect(await ask('nobody')).toMatchObject({ refusal: { code: 'invalid_token' } });
  });
});

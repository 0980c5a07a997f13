import { beforeEach, describe, expect, it } from 'vitest';
import { ACTIVE_MS, INACTIVE_MS } from '../../../functions/gateway/authenticate/introspect.ts';
import { CLIENT, createGate, type Gate } from './gate.ts';

const PATH = '/oauth/v2/introspect';
const PAT = 'dGhpcy1pcy1hLXBhdA';
const ORGANIZATION = 'urn:zitadel:iam:user:resourceowner:id';

let gate: Gate;

const introspection = { clientId: CLIENT.id, clientSecret: CLIENT.secret, organizations: ['org-1'] };
const active = (claims: Record<string, unknown> = {}) => ({
  active: true,
  sub: 'robot',
  client_id: 'app',
  aud: ['api'],
  ...claims,
});
const asked = (): number => gate.zitadel.requests.filter((path) => path === PATH).length;

beforeEach(async () => {
  gate = await createGate({ introspection });
});

describe('an opaque token', () => {
  it('is asked about at the provider, as the configured client', async () => {
    gate.zitadel.opaque.set(PAT, active({ [ORGANIZATION]: 'org-9' }));
    expect(await gate.admit(PAT)).toMatchObject({
      issuerName: 'zitadel',
      issuer: 'https://zitadel.test',
      subject: 'robot',
      user: 'user:robot',
      caller: 'zitadel|robot',
      organization: 'zitadel|org:org-9',
      issuedAt: gate.clock.now(),
      claims: {},
    });
  });

  it.each(['a.b', 'a.b.c', 'a.b.c.d', 'eyJ.b.c'])('is whatever is no JWS, as %j', async (token) => {
    gate.zitadel.opaque.set(token, active());
    expect(await gate.admit(token)).toMatchObject({ subject: 'robot' });
  });

  it('is refused without asking anybody when introspection is not configured', async () => {
    const plain = await createGate();
    plain.zitadel.opaque.set(PAT, active());
    expect(await plain.refuse(PAT)).toMatchObject({ status: 401, code: 'invalid_token' });
    expect(plain.zitadel.requests).toEqual([]);
  });

  it('never takes the place of a signed token: those are not introspected', async () => {
    const token = await gate.zitadel.sign({ aud: 'other' });
    gate.zitadel.opaque.set(token, active());
    expect((await gate.refuse(token)).code).toBe('invalid_token');
    expect(asked()).toBe(0);
  });

  it.each<[string, Record<string, unknown>]>([
    ['inactive', { active: false }],
    ['from another issuer', { iss: 'https://evil.test' }],
    ['expired', { exp: Date.UTC(2026, 0, 1) / 1000 - 6 }],
    ['not valid yet', { nbf: Date.UTC(2026, 0, 1) / 1000 + 6 }],
    ['without subject', { sub: undefined }],
    ['of an unusable subject', { sub: 'a\r\nb' }],
  ])('is refused when %s', async (_, claims) => {
    gate.zitadel.opaque.set(PAT, active(claims));
    expect((await gate.refuse(PAT)).code).toBe('invalid_token');
  });
});

const PROJECT = 'api';
/** As Zitadel 4 answers of a personal access token: the asking client and its project in aud, and no client_id. */
const pat = (claims: Record<string, unknown> = {}) => ({
  active: true,
  aud: [CLIENT.id, PROJECT],
  exp: 4_070_908_800,
  iss: 'https://zitadel.test',
  jti: '401534526750198822',
  sub: 'robot',
  token_type: 'Bearer',
  [ORGANIZATION]: 'org-2',
  ...claims,
});

describe('Zitadel calls every PAT active and adds the asking client and its project to aud, so', () => {
  it.each<[string, Record<string, unknown>]>([
    ['a PAT of a foreign organisation', pat()],
    ['a PAT without organisation, as the first one of an instance', pat({ [ORGANIZATION]: undefined })],
    ['a PAT whose client is null', pat({ client_id: null })],
    ['a token for nobody', active({ aud: undefined })],
    ['a token for our own client id only', active({ aud: CLIENT.id })],
    ['a token of an organisation that is not listed', active({ aud: [CLIENT.id], [ORGANIZATION]: 'org-2' })],
  ])('%s is refused', async (_, answer) => {
    gate.zitadel.opaque.set(PAT, answer);
    expect((await gate.refuse(PAT)).reason).toContain('neither audience nor organisation');
  });

  it.each<[string, Record<string, unknown>]>([
    ['a PAT of a listed organisation', pat({ [ORGANIZATION]: 'org-1' })],
    ['a token for an accepted audience', active({ aud: [CLIENT.id, 'web'] })],
    ['a token of a listed organisation', active({ aud: [CLIENT.id], [ORGANIZATION]: 'org-1' })],
  ])('%s is accepted', async (_, answer) => {
    gate.zitadel.opaque.set(PAT, answer);
    expect(await gate.admit(PAT)).toBeDefined();
  });

  it('what says null of its members is read as if it left them out', async () => {
    gate.zitadel.opaque.set(PAT, active({ exp: null, nbf: null, iss: null, username: null }));
    expect(await gate.admit(PAT)).toBeDefined();
  });
});

describe('an introspection answer is remembered', () => {
  it('for 30 s when active, at once and without a promise', async () => {
    gate.zitadel.opaque.set(PAT, active());
    const first = await gate.admit(PAT);
    gate.zitadel.opaque.delete(PAT);
    gate.clock.advance(ACTIVE_MS / 1000 - 1);
    expect(gate.present(`Bearer ${PAT}`)).toBe(first);
    gate.clock.advance(1);
    expect((await gate.refuse(PAT)).reason).toBe('inactive');
    expect(ACTIVE_MS).toBeLessThanOrEqual(30_000);
  });

  it('no longer than the token lives', async () => {
    gate.zitadel.opaque.set(PAT, active({ exp: gate.clock.now() / 1000 + 10 }));
    await gate.admit(PAT);
    gate.clock.advance(10);
    await gate.admit(PAT);
    expect(asked()).toBe(2);
    gate.clock.advance(5);
    expect((await gate.refuse(PAT)).reason).toBe('expired');
  });

  it('for 5 s when inactive', async () => {
    await gate.refuse(PAT);
    gate.zitadel.opaque.set(PAT, active());
    gate.clock.advance(INACTIVE_MS / 1000 - 1);
    await gate.refuse(PAT);
    expect([asked(), gate.guarded.length]).toEqual([1, 1]);
    gate.clock.advance(1);
    expect(await gate.admit(PAT)).toBeDefined();
  });

  it('in bounded room, where bad tokens push no good one out', async () => {
    gate = await createGate({ introspection, maxAccepted: 1, maxRejected: 2 });
    gate.zitadel.opaque.set(PAT, active());
    await gate.admit(PAT);
    for (const bad of ['bad1', 'bad2', 'bad3']) await gate.refuse(bad);
    expect(asked()).toBe(4);
    await gate.admit(PAT);
    await gate.refuse('bad3');
    expect(asked()).toBe(4);
    await gate.refuse('bad1');
    expect(asked()).toBe(5);
  });

  it('never when there was none', async () => {
    gate.zitadel.opaque.set(PAT, active());
    gate.zitadel.faults.set(PATH, 'status');
    await gate.refuse(PAT);
    gate.zitadel.faults.clear();
    expect(await gate.admit(PAT)).toBeDefined();
  });
});

describe('a provider that gives no verdict is 503, never 401', () => {
  it.each(['refused', 'hangs', 'status', 'garbage'] as const)('%s', async (fault) => {
    gate.zitadel.faults.set(PATH, fault);
    expect(await gate.refuse(PAT)).toMatchObject({ status: 503, code: 'identity_provider_unavailable' });
  });

  it('when it does not know our client', async () => {
    gate = await createGate({ introspection: { ...introspection, clientSecret: 'wrong-secret' } });
    gate.zitadel.opaque.set(PAT, active());
    const refused = await gate.refuse(PAT);
    expect(refused.code).toBe('identity_provider_unavailable');
    expect(`${refused.reason} ${gate.logged.join()}`).not.toMatch(/wrong-secret|dGhpcy/);
  });

  it('when no introspection endpoint is published', async () => {
    gate.zitadel.metadata['introspection_endpoint'] = undefined;
    expect((await gate.refuse(PAT)).code).toBe('identity_provider_unavailable');
  });

  it('and a signed token whose keys cannot be had', async () => {
    gate.zitadel.faults.set('*', 'refused');
    expect(await gate.refuse(await gate.zitadel.sign())).toMatchObject({ status: 503 });
  });
});

describe('many requests with one opaque token', () => {
  it('ask once where promises may be shared', async () => {
    gate.zitadel.opaque.set(PAT, active());
    await Promise.all(Array.from({ length: 20 }, () => gate.admit(PAT)));
    expect(asked()).toBe(1);
  });
});

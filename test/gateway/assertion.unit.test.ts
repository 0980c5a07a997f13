import { createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify, type JSONWebKeySet, type JWK } from 'jose';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAsserter, type Asserted, type Asserter } from '../../functions/gateway/forward/assertion.ts';
import { Person, type Checked, type Principal } from '../../functions/gateway/authenticate/principal.ts';
import { tenancy, type Tenancy } from '../../functions/gateway/authenticate/tenancies.ts';
import type { AssertionConfig } from '../../functions/gateway/slice.ts';
import { manualClock, type ManualClock } from '../support/clock.ts';

let clock: ManualClock;
let first: JWK;
let second: JWK;
let logged: string[];

let principal: Principal;

const whoever = () => ({
  issuerName: 'kanidm',
  issuer: 'https://kanidm.test',
  subject: 'alice',
  user: 'user:kanidm|alice',
  caller: 'kanidm|alice',
  person: Object.assign(new Person(), { tokens: 1 }),
});

/** What holds of alice, remembered with her. */
function holds(relation: string, object: string): Checked {
  const { person } = principal;
  const known = person.checked(relation, object);
  if (known !== undefined) return known;
  const rest = { allowed: true, untilMs: Infinity, assertions: [], next: undefined, used: false };
  const checked = { room: { remove: () => undefined }, person, relation, object, ...rest };
  person.keep(checked);
  return checked;
}

function asked(
  change: { who?: Principal; target?: string; grant?: Asserted['grant']; tenancy?: Tenancy } = {},
): Asserted {
  return {
    principal: change.who ?? principal,
    tenancy: change.tenancy,
    grant: change.grant ?? { checked: holds('viewer', 'feature:reports') },
    match: { rule: { target: change.target ?? 'upstream' } },
  };
}

function start(config: AssertionConfig): Asserter {
  let made = 0;
  const note = (message: string): void => void logged.push(message);
  return createAsserter(config, {
    clock,
    random: { hex: () => '00', uuid: () => `id-${(made += 1)}` },
    log: { debug: note, info: note, warn: note, error: note },
  });
}

const configured = (...keys: unknown[]): Asserter => start({ kind: 'keys', jwks: JSON.stringify({ keys }) });

async function read(asserter: Asserter, jwt: string | undefined) {
  const keys = createLocalJWKSet((await asserter.publicJwks()) as JSONWebKeySet);
  return jwtVerify(jwt ?? '', keys, { currentDate: new Date(clock.now()) });
}

async function makeKey(kid: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return { ...(await exportJWK(privateKey)), kid, alg: 'ES256' };
}

beforeAll(async () => {
  [first, second] = await Promise.all([makeKey('new'), makeKey('old')]);
});

beforeEach(() => {
  principal = whoever() as unknown as Principal;
  clock = manualClock();
  logged = [];
});

describe('an identity assertion', () => {
  it('says who is granted what, to whom, for 60 s', async () => {
    const asserter = configured(first, second);
    const { payload, protectedHeader } = await read(asserter, await asserter.assert(asked()));
    const iat = clock.now() / 1000;
    expect(protectedHeader).toEqual({ alg: 'ES256', kid: 'new', typ: 'JWT' });
    expect(payload).toEqual({
      iss: 'sallyport',
      sub: 'alice',
      sub_iss: 'https://kanidm.test',
      aud: 'upstream',
      feature: 'reports',
      object: 'feature:reports',
      relation: 'viewer',
      iat,
      exp: iat + 60,
      jti: 'id-1',
    });
  });

  it('names no grant where none is known to hold', async () => {
    const asserter = configured(first);
    const { payload } = await read(asserter, await asserter.assert(asked({ grant: {} })));
    expect(payload).toMatchObject({ sub: 'alice', aud: 'upstream' });
    expect(payload).not.toHaveProperty('relation');
    expect(payload).not.toHaveProperty('object');
    expect(payload).not.toHaveProperty('feature');
  });

  it('says the tenant, its slug and the role that the caller has there', async () => {
    const asserter = configured(first);
    const own = tenancy('id-of-acme', 'acme', 'admin');
    const { payload } = await read(asserter, await asserter.assert(asked({ tenancy: own })));
    expect(payload).toMatchObject({ tenant: 'id-of-acme', tenant_slug: 'acme', role: 'admin' });
    const { payload: without } = await read(asserter, await asserter.assert(asked()));
    for (const claim of ['tenant', 'tenant_slug', 'role']) expect(without).not.toHaveProperty(claim);
  });

  it('is not made without a principal', () => {
    expect(configured(first).assert({ ...asked(), principal: undefined })).toBeUndefined();
  });

  it('is not made, and no key published, when switched off', () => {
    const off = start({ kind: 'off' });
    expect([off.assert(asked()), off.publicJwks()]).toEqual([undefined, { keys: [] }]);
  });
});

describe('an assertion serves again', () => {
  it('at once for the same question, during half of its life', async () => {
    const asserter = configured(first);
    const jwt = await asserter.assert(asked());
    clock.advance(29);
    expect(asserter.assert(asked())).toBe(jwt);
    clock.advance(1);
    const next = await asserter.assert(asked());
    expect((await read(asserter, next)).payload.jti).toBe('id-2');
  });

  it('for no other tenant, slug or role', async () => {
    const asserter = configured(first);
    const tenancies = [
      tenancy('a', 'acme', 'user'),
      tenancy('b', 'acme', 'user'),
      tenancy('a', 'acme-2', 'user'),
      tenancy('a', 'acme-2', 'admin'),
    ];
    for (const own of tenancies) {
      const jwt = await asserter.assert(asked({ tenancy: own }));
      const { tenant, slug: tenant_slug, role } = own;
      expect((await read(asserter, jwt)).payload).toMatchObject({ tenant, tenant_slug, role });
      expect(asserter.assert(asked({ tenancy: tenancy(tenant, tenant_slug, role) }))).toBe(jwt);
    }
  });

  it('for no other caller, target, relation or object', async () => {
    const asserter = configured(first);
    const questions = [
      asked(),
      asked({ who: { ...principal, caller: 'kanidm|bob' } }),
      asked({ target: 'billing' }),
      asked({ grant: { checked: holds('editor', 'feature:reports') } }),
      asked({ grant: { checked: holds('viewer', 'feature:other') } }),
      asked({ grant: {} }),
      asked({ grant: {}, target: 'billing' }),
    ];
    const ids = new Set<unknown>();
    for (const question of questions)
      ids.add((await read(asserter, await asserter.assert(question))).payload.jti);
    expect(ids.size).toBe(questions.length);
    for (const question of questions) expect(asserter.assert(question)).toBeTypeOf('string');
  });

  it('for ten thousand questions, of which the oldest give way', async () => {
    const asserter = configured(first);
    const questions = Array.from({ length: 10_001 }, (_, n) =>
      asked({ grant: { checked: holds('viewer', `feature:${n}`) } }),
    );
    for (const question of questions) await asserter.assert(question);
    expect(asserter.assert(questions[1]!)).toBeTypeOf('string');
    expect(asserter.assert(questions[0]!)).toBeInstanceOf(Promise);
  }, 600_000);
});

describe('assertion keys', () => {
  it('are all published, without a private member', async () => {
    const { keys } = await configured(first, second).publicJwks();
    expect(keys.map((key) => key.kid)).toEqual(['new', 'old']);
    for (const key of keys)
      expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
  });

  it.each<[string, () => unknown[]]>([
    ['no key', () => []],
    ['a public key', () => [{ ...first, d: undefined }]],
    ['a key without kid', () => [{ ...first, kid: undefined }]],
    ['another curve', () => [{ ...first, crv: 'P-384' }]],
    ['one kid twice', () => [first, { ...second, kid: 'new' }]],
  ])('refuse to start with %s', (_, keys) => {
    expect(() => configured(...keys())).toThrow(/key|kid/);
  });

  it('are never quoted by the error that refuses them', () => {
    const broken = `{"keys":[${JSON.stringify(first)}`;
    for (const jwks of [broken, JSON.stringify({ keys: [{ ...first, crv: 'P-384' }] }), `${first.d}`]) {
      try {
        start({ kind: 'keys', jwks });
        expect.unreachable();
      } catch (error) {
        expect(String(error)).not.toContain(first.d?.slice(0, 8));
      }
    }
  });

  it('are made for the run in development, once, with a warning', async () => {
    const asserter = start({ kind: 'ephemeral' });
    const [one, two] = await Promise.all([
      asserter.assert(asked()),
      asserter.assert(asked({ target: 'billing' })),
      asserter.publicJwks(),
    ]);
    await read(asserter, one);
    await read(asserter, two);
    expect(logged).toHaveLength(1);
    expect(asserter.assert(asked())).toBe(one);
  });
});

import { describe, expect, it } from 'vitest';
import { parseEnvironment } from '../../functions/configuration.ts';
import { ASSERTION_KEYS, configOf, faultsOf, USABLE } from './env-usable.ts';

describe('faults', () => {
  it.each<[string, string]>(
    [
      ['UPSTREAM_URL', 'api.example.org'],
      ['OPENFGA_STORE_ID', 'store'],
      ['OPENFGA_MODEL_ID', '8ZZZZZZZZZZZZZZZZZZZZZZZZZ'],
      ['KANIDM_ISSUER_URL', USABLE.ZITADEL_ISSUER_URL],
      ['UPSTREAM_URL', 'https://user:secret@api.example.org'],
      ['UPSTREAM_URL', 'https://:secret@api.example.org'],
      ['UPSTREAM_URL', 'https://api.example.org?x=1'],
      ['OPENFGA_URL', 'redis://fga'],
      ['ZITADEL_ISSUER_URL', 'auth'],
      ['ZITADEL_ISSUER_URL', 'https://user:secret@auth.example.org'],
      ['KANIDM_ISSUER_URL', 'https://:secret@idm.example.org'],
      ['ZITADEL_AUDIENCE', ' , '],
      ['KANIDM_TOKEN', ''],
      ['SHARED_SUBJECT_ISSUERS', 'zitadel,google'],
      ['REDIS_URL', 'http://redis'],
      ['DATABASE_URL', 'mysql://db'],
      ['RATE_LIMIT', '100'],
      ['RATE_LIMIT', '0/60s'],
      ['RATE_LIMIT_FAILURE', 'ignore'],
      ['DECISION_TTL', '-1'],
      ['DECISION_TTL', '1.5'],
      ['TRUSTED_PROXIES', '10.0.0.0/33'],
      ['TRUSTED_PROXIES', 'localhost'],
      ['MAX_BODY_BYTES', '10MB'],
      ['UPSTREAM_TIMEOUT_MS', '0'],
      ['PORT', '65536'],
      ['PORT', '0x50'],
      ['PORT', '+80'],
      ['UPSTREAM_TIMEOUT_MS', '3e3'],
      ['ENVIRONMENT', 'staging'],
      ['LOG_LEVEL', 'loud'],
      ['LOG_REQUESTS', 'some'],
      ['LOG_REQUESTS', 'sample:2'],
      ['LOG_REQUESTS', 'sample:'],
      ['LOG_PATHS', 'yes'],
      ['WORKERS', '0'],
      ['WORKERS', '257'],
      ['WORKERS', '2.5'],
      ['WORKERS', '-1'],
      ['WORKERS', 'all'],
      ['WEBHOOK_SIGNING_KEYS', ' , '],
      ['ALLOWED_ORIGINS', '*'],
      ['ALLOWED_ORIGINS', 'https://app.example.org/path'],
      ['ALLOWED_ORIGINS', 'https://APP.example.org'],
      ['ASSERTION_KEYS', '{"keys":[]}'],
      ['ASSERTION_KEYS', 'on'],
      ['TARGET_BILLING_URL', 'billing'],
    ].filter(([, value]) => value !== '') as [string, string][],
  )('%s=%s', (variable, value) => {
    expect(faultsOf({ [variable]: value })).toContain(variable);
  });

  it('are all found at once: of form and of meaning, each variable once', () => {
    const faults = faultsOf({
      UPSTREAM_URL: undefined,
      PORT: 'x',
      ZITADEL_AUDIENCE: undefined,
      ENVIRONMENT: 'production',
      REDIS_URL: 'http://redis',
      ALLOWED_ORIGINS: '*',
    });
    const wanted = [
      'ALLOWED_ORIGINS',
      'ASSERTION_KEYS',
      'PORT',
      'REDIS_URL',
      'UPSTREAM_URL',
      'ZITADEL_AUDIENCE',
    ];
    expect(faults.sort()).toEqual(wanted);
  });

  it.each<[string, string]>([
    ['UPSTREAM_URL', 'no url'],
    ['PORT', 'x'],
    ['ALLOWED_ORIGINS', 'x,https://app.example.org,y,z'],
    ['TRUSTED_PROXIES', 'x,y'],
    ['SHARED_SUBJECT_ISSUERS', 'google,github'],
  ])('are told once, however often %s=%s breaks a rule', (variable, value) => {
    expect(faultsOf({ [variable]: value })).toEqual([variable]);
  });

  it.each<[string, string]>([
    ['https://*.example.org', 'no *'],
    ['https://*', 'no *'],
    ['https://app.example.org:*', 'no *'],
    ['https://app.example.org/', 'no slash at the end'],
    ['https://app.example.org/path', 'no path'],
    ['https://app.example.org:443', 'no default port'],
    ['https://App.example.org', 'small letters'],
    ['app.example.org', 'scheme and host'],
    ['https://a.example.org https://b.example.org', 'each by itself'],
  ])('name an origin that no browser sends: %s', (origin, words) => {
    const parsed = parseEnvironment(
      { ...USABLE, ALLOWED_ORIGINS: `https://x.example.org,${origin}` },
      'node',
    );
    const faults = parsed.ok ? [] : parsed.faults;
    expect(faults).toHaveLength(1);
    expect(faults[0]?.problem).toMatch(/^entry 2: write whole origins .* as in https:/);
    expect(faults[0]?.problem).toContain(words);
  });

  const further = { ISSUER_A_URL: 'https://a.example.org', ISSUER_A_AUDIENCE: 'a' };
  it.each(['ZITADEL_AUDIENCE', 'KANIDM_AUDIENCE', 'ISSUER_A_AUDIENCE', 'ZITADEL_ORGANIZATIONS'])(
    'name what would match no token in %s: a wildcard, a list in JSON',
    (variable) => {
      const issuers = { ...further, KANIDM_ISSUER_URL: 'https://idm.example.org', KANIDM_AUDIENCE: 'app' };
      for (const value of ['*', 'api,*', 'api-*', '["api","web"]']) {
        const parsed = parseEnvironment({ ...USABLE, ...issuers, [variable]: value }, 'node');
        expect(parsed).toMatchObject({
          faults: [{ variable, problem: expect.stringContaining('there is no wildcard *') as string }],
        });
      }
      expect(faultsOf({ ...issuers, [variable]: 'https://[::1]/, a.b:c' })).toEqual([]);
    },
  );

  it('say which entries of a list are wrong, by their place', () => {
    const parsed = parseEnvironment({ ...USABLE, ALLOWED_ORIGINS: 'x,https://app.example.org,y' }, 'node');
    expect(parsed).toMatchObject({ faults: [{ problem: expect.stringMatching(/^entry 1, 3: /) as string }] });
  });

  it('never quote a value', () => {
    const parsed = parseEnvironment(
      {
        REDIS_URL: 'http://:hush@redis',
        METRICS_TOKEN: 'hush',
        ASSERTION_KEYS: '{"d":"hush"}',
        UPSTREAM_URL: 'hush',
        ZITADEL_ISSUER_URL: 'https://user:hush@auth.example.org',
        ALLOWED_ORIGINS: 'https://user:hush@app.example.org',
      },
      'node',
    );
    expect(JSON.stringify(parsed)).not.toContain('hush');
  });

  it.each([
    [
      'KANIDM_ISSUER_URL without audience',
      { KANIDM_ISSUER_URL: 'https://idm.example.org' },
      'KANIDM_AUDIENCE',
    ],
    ['a client id without secret', { ZITADEL_CLIENT_ID: 'gateway' }, 'ZITADEL_CLIENT_SECRET'],
    ['a client secret without id', { ZITADEL_CLIENT_SECRET: 's' }, 'ZITADEL_CLIENT_ID'],
    [
      'Upstash without token',
      { UPSTASH_REDIS_REST_URL: 'https://u.example.org' },
      'UPSTASH_REDIS_REST_TOKEN',
    ],
  ])('%s', (_name, changes, variable) => {
    expect(faultsOf(changes)).toEqual([variable]);
  });
});

describe('an ill-formed variable is not an absent one', () => {
  it.each<[string, Record<string, string>, string[]]>([
    ['it needs what it would need', { KANIDM_ISSUER_URL: 'idm' }, ['KANIDM_AUDIENCE', 'KANIDM_ISSUER_URL']],
    [
      'it needs the other half of its pair',
      { UPSTASH_REDIS_REST_URL: 'x' },
      ['UPSTASH_REDIS_REST_TOKEN', 'UPSTASH_REDIS_REST_URL'],
    ],
    [
      'it is the other half of a pair',
      { UPSTASH_REDIS_REST_URL: 'x', UPSTASH_REDIS_REST_TOKEN: 't' },
      ['UPSTASH_REDIS_REST_URL'],
    ],
    [
      'an Upstash of a wrong form is a shared store in production',
      {
        ENVIRONMENT: 'production',
        ASSERTION_KEYS,
        UPSTASH_REDIS_REST_URL: 'x',
        UPSTASH_REDIS_REST_TOKEN: 't',
      },
      ['UPSTASH_REDIS_REST_URL'],
    ],
    [
      'introspection needs an issuer and its audience',
      { ZITADEL_ISSUER_URL: '', ZITADEL_AUDIENCE: '', ZITADEL_CLIENT_ID: 'gateway' },
      ['ZITADEL_AUDIENCE', 'ZITADEL_CLIENT_SECRET', 'ZITADEL_ISSUER_URL'],
    ],
    [
      'prod hears what production needs',
      { ENVIRONMENT: 'prod' },
      ['ASSERTION_KEYS', 'ENVIRONMENT', 'REDIS_URL'],
    ],
    ['staging may mean development', { ENVIRONMENT: 'staging' }, ['ENVIRONMENT']],
  ])('%s', (_name, changes, variables) => {
    expect(faultsOf(changes).sort()).toEqual(variables);
  });
});

describe('production', () => {
  const production = { ENVIRONMENT: 'production', ASSERTION_KEYS };

  it('wants shared counters: Redis on Node', () => {
    expect(faultsOf(production)).toEqual(['REDIS_URL']);
    expect(faultsOf({ ...production, REDIS_URL: 'rediss://redis.example.org' })).toEqual([]);
  });

  it('wants Upstash on Workers, where a Redis connection cannot be kept', () => {
    expect(faultsOf({ ...production, REDIS_URL: 'redis://r' }, 'workers')).toEqual([
      'UPSTASH_REDIS_REST_URL',
    ]);
    const upstash = { UPSTASH_REDIS_REST_URL: 'https://u.example.org', UPSTASH_REDIS_REST_TOKEN: 't' };
    expect(faultsOf({ ...production, ...upstash }, 'workers')).toEqual([]);
  });

  it('wants a signing key, or to hear that none is wanted', () => {
    const counters = { ENVIRONMENT: 'production', REDIS_URL: 'redis://r' };
    expect(faultsOf(counters)).toEqual(['ASSERTION_KEYS']);
    expect(configOf({ ...counters, ASSERTION_KEYS: 'off' }).assertion).toEqual({ kind: 'off' });
  });
});

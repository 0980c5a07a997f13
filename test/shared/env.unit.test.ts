import { describe, expect, it } from 'vitest';
import { generateKeys } from '../../cli/keys.ts';
import { parseEnvironment } from '../../shared/env.ts';
import type { Config, Runtime } from '../../shared/config.ts';

const USABLE = {
  UPSTREAM_URL: 'https://api.example.org/base/',
  OPENFGA_URL: 'https://fga.example.org',
  OPENFGA_STORE_ID: '01J00000000000000000000000',
  ZITADEL_ISSUER_URL: 'https://auth.example.org',
  ZITADEL_AUDIENCE: 'api, web',
};
const ASSERTION_KEYS = JSON.stringify(await generateKeys());

function faultsOf(changes: Record<string, unknown>, runtime: Runtime = 'node'): string[] {
  const parsed = parseEnvironment({ ...USABLE, ...changes }, runtime);
  return parsed.ok ? [] : parsed.faults.map(({ variable }) => variable);
}

function configOf(changes: Record<string, unknown> = {}, runtime: Runtime = 'node'): Config {
  const parsed = parseEnvironment({ ...USABLE, ...changes }, runtime);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  return parsed.config;
}

describe('what stands in for an absent variable', () => {
  it('the defaults of docs/architecture.md', () => {
    expect(configOf()).toMatchObject({
      environment: 'development',
      logLevel: 'info',
      listen: { host: '0.0.0.0', port: 3000 },
      rateLimit: { name: 'default', limit: 100, windowMs: 60_000 },
      rateLimitFailure: 'local',
      decisionTtlMs: 30_000,
      maxBodyBytes: 10_485_760,
      upstreamTimeoutMs: 30_000,
      allowedOrigins: [],
      trustedProxies: [],
      counters: { kind: 'memory' },
      assertion: { kind: 'ephemeral' },
      rules: { current: { kind: 'file', path: 'config/access_rules.json' }, previous: null },
    });
  });

  it('an empty variable is an absent one', () => {
    expect(faultsOf({ UPSTREAM_URL: ' ' })).toEqual(['UPSTREAM_URL']);
    expect(configOf({ PORT: '', METRICS_TOKEN: '' })).toMatchObject({ metricsToken: null });
  });

  it('bindings that are no text are not read', () => {
    expect(faultsOf({ UPSTREAM_URL: 42, ASSETS: {} })).toEqual(['UPSTREAM_URL']);
  });
});

describe('the HYPERDRIVE binding', () => {
  const url = 'postgres://pool:secret@pool.hyperdrive.local:5432/app';
  // The runtime's objects have getters on their prototype.
  class Binding {
    get connectionString(): string {
      return url;
    }
  }

  it('goes before DATABASE_URL on Workers, and is not looked at on Node', () => {
    const both = { HYPERDRIVE: new Binding(), DATABASE_URL: 'postgres://db/app' };
    expect(configOf(both, 'workers').database).toEqual({ kind: 'hyperdrive', url });
    expect(configOf(both).database).toEqual({ kind: 'url', url: 'postgres://db/app', endpoint: null });
    expect(configOf({}, 'workers').database).toBeNull();
  });

  it.each([
    ['text', 'postgres://pool:secret@db'],
    ['an object of another kind', { connection: url }],
    ['of another kind of database', { connectionString: 'mysql://pool:secret@db' }],
    ['empty', { connectionString: '' }],
  ])('is a fault when it is %s, and is not quoted', (_what, HYPERDRIVE) => {
    const parsed = parseEnvironment({ ...USABLE, HYPERDRIVE }, 'workers');
    expect(parsed).toMatchObject({ ok: false, faults: [{ variable: 'HYPERDRIVE' }] });
    expect(JSON.stringify(parsed)).not.toContain('secret');
  });

  it('is asked for where a Worker cannot reach the database by itself', () => {
    const warned = (changes: Record<string, unknown>, runtime: Runtime = 'workers') => {
      const parsed = parseEnvironment({ ...USABLE, ...changes }, runtime);
      return parsed.ok && parsed.warnings.some(({ variable }) => variable === 'DATABASE_URL');
    };
    const DATABASE_URL = 'postgres://db.example.org/app';
    expect(warned({ DATABASE_URL })).toBe(true);
    expect(warned({ DATABASE_URL }, 'node')).toBe(false);
    expect(warned({ DATABASE_URL, HYPERDRIVE: new Binding() })).toBe(false);
    expect(warned({ DATABASE_URL, DATABASE_HTTP_ENDPOINT: 'https://sql.example.org' })).toBe(false);
    expect(warned({ DATABASE_URL: 'postgres://u@ep-x.eu.aws.neon.tech/app' })).toBe(false);
  });
});

describe('faults', () => {
  it.each<[string, string]>(
    [
      ['UPSTREAM_URL', 'api.example.org'],
      ['OPENFGA_STORE_ID', 'store'],
      ['OPENFGA_MODEL_ID', '8ZZZZZZZZZZZZZZZZZZZZZZZZZ'],
      ['KANIDM_ISSUER_URL', USABLE.ZITADEL_ISSUER_URL],
      ['UPSTREAM_URL', 'https://user:secret@api.example.org'],
      ['UPSTREAM_URL', 'https://api.example.org?x=1'],
      ['OPENFGA_URL', 'redis://fga'],
      ['ZITADEL_ISSUER_URL', 'auth'],
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
      ['ENVIRONMENT', 'staging'],
      ['LOG_LEVEL', 'loud'],
      ['METRICS_TOKEN', 'short'],
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

  it('never quote a value', () => {
    const parsed = parseEnvironment(
      {
        REDIS_URL: 'http://:hush@redis',
        METRICS_TOKEN: 'hush',
        ASSERTION_KEYS: '{"d":"hush"}',
        UPSTREAM_URL: 'hush',
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

describe('what variables become', () => {
  it('targets: the named ones in lower case, without trailing slashes', () => {
    const { targets } = configOf({ TARGET_BILLING_V2_URL: 'https://billing.example.org/' });
    expect(targets).toMatchObject({
      upstream: 'https://api.example.org/base',
      billing_v2: 'https://billing.example.org',
      openfga: 'https://fga.example.org',
      zitadel: 'https://auth.example.org',
    });
  });

  it('no named target takes the place of the upstream', () => {
    const { targets } = configOf({ TARGET_UPSTREAM_URL: 'https://evil.example.org' });
    expect(targets.upstream).toBe('https://api.example.org/base');
  });

  it('issuers, of which only Zitadel shares its subjects unless told', () => {
    const kanidm = { KANIDM_ISSUER_URL: 'https://idm.example.org', KANIDM_AUDIENCE: 'app' };
    expect(configOf(kanidm).issuers).toEqual([
      { name: 'zitadel', url: 'https://auth.example.org', audiences: ['api', 'web'], sharedSubjects: true },
      { name: 'kanidm', url: 'https://idm.example.org', audiences: ['app'], sharedSubjects: false },
    ]);
  });

  it('rules: JSON itself, or a path', () => {
    expect(configOf({ ACCESS_RULES: ' [ ]' }).rules.current).toEqual({ kind: 'inline', json: ' [ ]' });
    expect(configOf({ ACCESS_RULES: 'r.json' }).rules.current).toEqual({ kind: 'file', path: 'r.json' });
  });
});

import { describe, expect, it } from 'vitest';
import type { Runtime } from '../../shared/configuration/slice.ts';
import { parseEnvironment } from '../../functions/configuration.ts';
import { configOf, faultsOf, USABLE } from './env-usable.ts';

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
      rules: { current: { kind: 'file', path: 'config/access_rules.json' } },
      previousRules: null,
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

describe('the ASSETS binding', () => {
  it('is a fault where a Worker has pages of figures without their files; Node has its own', () => {
    const on = { FUNCTIONS: 'analytics', DATABASE_URL: 'postgres://db/app' };
    for (const ASSETS of [undefined, 'text', {}])
      expect(faultsOf({ ...on, ASSETS }, 'workers')).toEqual(['ASSETS']);
    expect(faultsOf({ ...on, ASSETS: { fetch: () => undefined } }, 'workers')).toEqual([]);
    expect([faultsOf({}, 'workers'), faultsOf(on)]).toEqual([[], []]);
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

describe('a short METRICS_TOKEN', () => {
  it('is taken, with one warning that does not hold it', () => {
    const parsed = parseEnvironment({ ...USABLE, METRICS_TOKEN: 'tiny' }, 'node');
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
    expect(parsed.config.metricsToken).toBe('tiny');
    const warned = parsed.warnings.filter(({ variable }) => variable === 'METRICS_TOKEN');
    expect(warned).toHaveLength(1);
    expect(JSON.stringify(warned)).not.toContain('tiny');
  });

  it('of 16 characters is no longer short', () => {
    const parsed = parseEnvironment({ ...USABLE, METRICS_TOKEN: '0123456789abcdef' }, 'node');
    expect(JSON.stringify(parsed.ok && parsed.warnings)).not.toContain('METRICS_TOKEN');
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
      {
        name: 'zitadel',
        url: 'https://auth.example.org',
        audiences: ['api', 'web'],
        sharedSubjects: true,
        others: [],
        typ: 'any',
      },
      {
        name: 'kanidm',
        url: 'https://idm.example.org',
        audiences: ['app'],
        sharedSubjects: false,
        others: [],
        typ: 'at+jwt',
      },
    ]);
  });

  it.each(['{"a":1}', ' "config/access_rules.json"'])(
    'rules: JSON of any kind is no file name: %s',
    (json) => {
      expect(configOf({ ACCESS_RULES: json }).rules.current).toEqual({ kind: 'inline', json: json.trim() });
    },
  );

  it('rules: JSON itself, or a path', () => {
    expect(configOf({ ACCESS_RULES: ' [ ]' }).rules.current).toEqual({ kind: 'inline', json: '[ ]' });
    expect(configOf({ ACCESS_RULES: 'r.json' }).rules.current).toEqual({ kind: 'file', path: 'r.json' });
  });
});

describe('LOG_REQUESTS', () => {
  const passing = (runtime: Runtime, more = {}): number => configOf(more, runtime).logging.passing;

  it.each([
    ['all', 1],
    ['refused', 0],
    ['sample:0.01', 0.01],
    ['sample:.5', 0.5],
    ['sample:1', 1],
  ])('%s: %d of what passed gets a line', (text, share) => {
    expect(passing('node', { LOG_REQUESTS: text })).toBe(share);
  });

  it('is all on Node and none on Workers, unless written', () => {
    expect([passing('node'), passing('workers')]).toEqual([1, 0]);
    expect(passing('workers', { LOG_REQUESTS: 'all' })).toBe(1);
  });
});

describe('WORKERS', () => {
  const warns = (changes: Record<string, unknown>, runtime: Runtime = 'node'): boolean => {
    const parsed = parseEnvironment({ ...USABLE, ...changes }, runtime);
    return parsed.ok && parsed.warnings.some(({ variable }) => variable === 'WORKERS');
  };

  it('is one process, unless a number or auto is written, and always on Workers', () => {
    const texts = [undefined, '1', '8', '256', ' auto '];
    const workers = (runtime: Runtime) => texts.map((WORKERS) => configOf({ WORKERS }, runtime).workers);
    expect(workers('node')).toEqual([1, 1, 8, 256, 'auto']);
    expect(workers('workers')).toEqual([1, 1, 1, 1, 1]);
  });

  it('warns where each process would count for itself', () => {
    expect([warns({ WORKERS: '2' }), warns({ WORKERS: 'auto' })]).toEqual([true, true]);
    expect([warns({}), warns({ WORKERS: '1' }), warns({ WORKERS: '2' }, 'workers')]).toEqual([
      false,
      false,
      false,
    ]);
    expect(warns({ WORKERS: '2', REDIS_URL: 'redis://redis.example.org' })).toBe(false);
  });
});

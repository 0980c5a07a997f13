import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeProgram } from '../support/gateway/node.ts';
import type { GatewayVariables } from '../support/gateway/runtime.ts';
import { workerd } from '../support/gateway/workerd.ts';
import { expectRefusal } from '../support/refusal.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

/** Starts the program with what cannot be used, and gives its last words. */
async function lastWords(variables: GatewayVariables): Promise<string> {
  const program = await nodeProgram(variables);
  expect(await program.ended).toBe(1);
  expect(program.output()).not.toContain('listening');
  return program.output();
}

const without = (...names: string[]): GatewayVariables =>
  Object.fromEntries(Object.entries(world.variables).filter(([name]) => !names.includes(name)));

describe('an unusable configuration ends with 1 before anything listens', () => {
  it('every fault is listed at once, by variable', async () => {
    const said = await lastWords({
      ZITADEL_ISSUER_URL: 'https://auth.example.org',
      RATE_LIMIT: 'lots',
      PORT: '99999',
      ALLOWED_ORIGINS: '*',
      TARGET_OTHER_URL: 'ftp://x',
      ENVIRONMENT: 'production',
    });
    const wanted = [
      'UPSTREAM_URL',
      'OPENFGA_URL',
      'OPENFGA_STORE_ID',
      'RATE_LIMIT',
      'PORT',
      'TARGET_OTHER_URL',
      // Those that show only together with others, too.
      'ZITADEL_AUDIENCE',
      'ALLOWED_ORIGINS',
      'REDIS_URL',
      'ASSERTION_KEYS',
    ];
    for (const name of wanted) expect(said).toContain(`- ${name} `);
    expect(said.match(/^unusable configuration:$/gm)).toHaveLength(1);
  });

  it('faults of rules and grants stand beside those of variables', async () => {
    const texts = { ACCESS_RULES: '/nonexistent', DEFAULT_GRANTS: '[{]' };
    const wellFormed = await lastWords({ ...world.variables, ...texts });
    const illFormed = await lastWords({
      ...without('ZITADEL_AUDIENCE'),
      ...texts,
      ENVIRONMENT: 'production',
    });
    for (const said of [wellFormed, illFormed]) {
      expect(said).toContain('- ACCESS_RULES ');
      expect(said).toContain('- DEFAULT_GRANTS 1:');
    }
    expect(illFormed).toContain('- ZITADEL_AUDIENCE ');
  });

  it.each<[string, string, () => GatewayVariables]>([
    ['an issuer without audience', 'ZITADEL_AUDIENCE', () => without('ZITADEL_AUDIENCE')],
    [
      'a second issuer without audience',
      'KANIDM_AUDIENCE',
      () => ({ ...world.variables, KANIDM_ISSUER_URL: 'https://idm.example.org' }),
    ],
    ['credentials for every origin', 'ALLOWED_ORIGINS', () => ({ ...world.variables, ALLOWED_ORIGINS: '*' })],
    ['half of a pair', 'ZITADEL_CLIENT_SECRET', () => ({ ...world.variables, ZITADEL_CLIENT_ID: 'gateway' })],
    [
      'a network that is none',
      'TRUSTED_PROXIES',
      () => ({ ...world.variables, TRUSTED_PROXIES: '10.0.0.0/99' }),
    ],
    [
      'counters of one process in production',
      'REDIS_URL',
      () => ({ ...world.variables, ENVIRONMENT: 'production' }),
    ],
    [
      'no signing key in production',
      'ASSERTION_KEYS',
      () => ({ ...without('ASSERTION_KEYS'), ENVIRONMENT: 'production' }),
    ],
    [
      'grants that are not there',
      'DEFAULT_GRANTS',
      () => ({
        ...world.variables,
        DATABASE_URL: 'postgres://127.0.0.1:1/x',
        DEFAULT_GRANTS: 'no/such/file.json',
      }),
    ],
    [
      'grants that are no JSON',
      'DEFAULT_GRANTS',
      () => ({ ...world.variables, DATABASE_URL: 'postgres://127.0.0.1:1/x', DEFAULT_GRANTS: '[{' }),
    ],
    ['rules that are no JSON', 'ACCESS_RULES', () => ({ ...world.variables, ACCESS_RULES: '[{' })],
    [
      'a rules file that is not there',
      'ACCESS_RULES',
      () => ({ ...world.variables, ACCESS_RULES: 'no/such/file.json' }),
    ],
  ])('%s', async (_name, variable, variables) => {
    expect(await lastWords(variables())).toContain(`- ${variable} `);
  });

  it('a faulty rule is named with its place in the file', async () => {
    const rules =
      '[\n  { "path": "/a", "method": "GET", "feature": "x" },\n  { "path": "b", "method": "GET" }\n]';
    expect(await lastWords({ ...world.variables, ACCESS_RULES: rules })).toMatch(/ACCESS_RULES 3:\d+ /);
  });

  it('a rule that asks what the shipped model lacks is named with its place', async () => {
    const rules = '[\n  { "path": "/a", "method": "GET", "object": "document:1", "action": "veiw" }\n]';
    const said = await lastWords({ ...without('OPENFGA_MODEL'), ACCESS_RULES: rules });
    expect(said).toMatch(/ACCESS_RULES 2:\d+ action: config\/model\.fga has no relation "veiw".*"view"/);
    expect(await lastWords({ ...world.variables, OPENFGA_MODEL: 'gone.fga' })).toContain('- OPENFGA_MODEL ');
  });

  it('secrets are not printed, not even those at fault', async () => {
    const said = await lastWords({
      ...world.variables,
      ASSERTION_KEYS: '{"keys":[{"kty":"EC","d":"private-part"}]}',
      REDIS_URL: 'http://user:redis-password@redis',
      DATABASE_URL: 'mysql://user:database-password@db',
      UPSTASH_REDIS_REST_TOKEN: 'upstash-token',
      ZITADEL_ISSUER_URL: 'https://user:issuer-password@auth.example.org',
    });
    for (const name of [
      'ASSERTION_KEYS',
      'REDIS_URL',
      'DATABASE_URL',
      'ZITADEL_ISSUER_URL',
      'UPSTASH_REDIS_REST_URL',
    ])
      expect(said).toContain(name);
    expect(said).not.toMatch(/private-part|redis-password|database-password|upstash-token|issuer-password/);
  });
});

describe('on workerd, which cannot refuse to start', () => {
  it('every request meets 503 not_configured, and the log lists every fault', async () => {
    const gateway = await workerd.start({
      ...without('ZITADEL_AUDIENCE', 'UPSTREAM_URL'),
      RATE_LIMIT: 'lots',
      ACCESS_RULES: '{}',
      DEFAULT_GRANTS: '[{]',
    });
    try {
      for (const target of ['/public/x', '/health']) {
        const answer = await gateway.fetch(target);
        await expectRefusal(answer, 'not_configured');
      }
      for (const name of ['UPSTREAM_URL', 'RATE_LIMIT', 'ACCESS_RULES 1:1', 'DEFAULT_GRANTS 1:'])
        expect(gateway.output()).toContain(name);
      const named = await gateway.fetch('/me', { headers: { 'x-request-id': 'callers-own' } });
      expect(named.headers.get('x-request-id')).toBe('callers-own');
      await expectRefusal(named, 'not_configured');
      const malformed = await gateway.fetch('/me', { headers: { 'x-request-id': 'two words' } });
      expect(malformed.headers.get('x-request-id')).toMatch(/^[0-9a-f]{32}$/);
    } finally {
      await gateway.close();
    }
  });

  it('an issuer without audience is not trusted by omission', async () => {
    const gateway = await workerd.start(without('ZITADEL_AUDIENCE'));
    const answer = await gateway.fetch('/me', { headers: { authorization: await world.bearer() } });
    await expectRefusal(answer, 'not_configured');
    expect(gateway.output()).toContain('ZITADEL_AUDIENCE');
    await gateway.close();
  });
});

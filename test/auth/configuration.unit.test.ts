import { describe, expect, it } from 'vitest';
import { parseEnvironment } from '../../functions/configuration.ts';
import { makePrivateKeys } from '../../shared/keys/signing-keys.ts';

const keys = await makePrivateKeys();
const USABLE = {
  UPSTREAM_URL: 'https://api.example.org',
  OPENFGA_URL: 'https://fga.example.org',
  OPENFGA_STORE_ID: '01J00000000000000000000000',
  ACCESS_RULES: '[]',
  OPENFGA_MODEL: 'off',
  FUNCTIONS: 'auth',
  PUBLIC_URL: 'https://app.example.org',
  SESSION_KEYS: keys,
  DATABASE_URL: 'postgres://sallyport@127.0.0.1/sallyport',
};

function parsed(changes: Readonly<Record<string, string | undefined>> = {}) {
  const all: Readonly<Record<string, string | undefined>> = { ...USABLE, ...changes };
  const raw = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return parseEnvironment(raw, 'node');
}

const faultsOf = (changes: Readonly<Record<string, string | undefined>>): string[] => {
  const result = parsed(changes);
  return result.ok ? [] : result.faults.map(({ variable }) => variable);
};

describe('auth', () => {
  it('warns where two providers are configured and none is chosen', () => {
    const [kanidm, zitadel] = ['https://idm.example.org/oauth2/openid/app', 'https://auth.example.org'];
    const one = { KANIDM_ISSUER_URL: kanidm, KANIDM_AUDIENCE: 'app' };
    const both = { ...one, ZITADEL_ISSUER_URL: zitadel, ZITADEL_AUDIENCE: 'api' };
    const warned = (changes: Readonly<Record<string, string>>) => {
      const result = parsed(changes);
      return result.ok && result.warnings.some(({ variable }) => variable === 'MIGRATION_PROVIDER');
    };
    expect([one, both, { ...both, MIGRATION_PROVIDER: 'zitadel' }].map(warned)).toEqual([false, true, false]);
  });

  it('has its defaults', () => {
    const result = parsed();
    expect(result).toMatchObject({
      ok: true,
      config: {
        sessions: {
          publicUrl: 'https://app.example.org',
          secure: true,
          audience: 'https://app.example.org',
          accessSeconds: 900,
          refreshSeconds: 2_592_000,
        },
      },
    });
  });

  it.each([
    ['PUBLIC_URL', undefined],
    ['PUBLIC_URL', 'http://app.example.org'],
    ['PUBLIC_URL', 'https://app.example.org/path'],
    ['PUBLIC_URL', 'https://user@app.example.org'],
    ['PUBLIC_URL', 'app.example.org'],
    ['SESSION_KEYS', 'none'],
    ['SESSION_KEYS', '{"keys":[]}'],
    ['SESSION_TTL', '0'],
    ['SESSION_TTL', '3601'],
    ['REFRESH_TTL', 'x'],
    ['NEW_USERS', 'some'],
    ['PASSWORD_SIGN_IN', 'maybe'],
    ['PASSWORD_COST', '3'],
    ['PASSWORD_COST', '17'],
    ['LOGIN_RATE', '30'],
    ['LOGIN_RATE', '30/60s,10/60s,1/1s'],
    ['DATABASE_URL', undefined],
    ['MIGRATION_PROVIDER', 'keycloak'],
  ])('is refused with %s=%s', (variable, value) => {
    expect(faultsOf({ [variable]: value })).toEqual([variable]);
  });

  it.each(['http://127.0.0.1:3000', 'http://localhost:3000', 'http://[::1]:3000'])(
    'takes %s, and then cookies are not Secure',
    (PUBLIC_URL) => {
      expect(parsed({ PUBLIC_URL })).toMatchObject({ ok: true, config: { sessions: { secure: false } } });
    },
  );

  it('wants what a client and a provider need', () => {
    expect(faultsOf({ KANIDM_CLIENT_ID: 'app' })).toEqual(['KANIDM_ISSUER_URL']);
    expect(faultsOf({ ZITADEL_OAUTH_CLIENT_ID: 'app' })).toEqual(['ZITADEL_ISSUER_URL']);
    expect(faultsOf({ MIGRATION_PROVIDER: 'kanidm' })).toEqual(['KANIDM_ISSUER_URL']);
  });

  it('without SESSION_KEYS makes a key for the run, with a warning, in one process of development alone', () => {
    const alone = parsed({ SESSION_KEYS: undefined });
    expect(alone.ok && alone.warnings.map(({ variable }) => variable)).toContain('SESSION_KEYS');
    expect(faultsOf({ SESSION_KEYS: undefined, WORKERS: '2' })).toEqual(['SESSION_KEYS']);
    const production = { ENVIRONMENT: 'production', REDIS_URL: 'redis://127.0.0.1', ASSERTION_KEYS: 'off' };
    expect(faultsOf({ ...production, SESSION_KEYS: undefined })).toEqual(['SESSION_KEYS']);
    expect(faultsOf(production)).toEqual([]);
  });

  it('while off misses nothing, and says nothing', () => {
    const off = parsed({ FUNCTIONS: undefined, PUBLIC_URL: 'nonsense', SESSION_KEYS: undefined });
    expect(off).toMatchObject({ ok: true, config: { sessions: null } });
  });
});

import { describe, expect, it } from 'vitest';
import { configOf, faultsOf, USABLE } from './env-usable.ts';

const CORP = { ISSUER_CORP_URL: 'https://id.example.org/realms/corp', ISSUER_CORP_AUDIENCE: 'api, web' };
const CLIENT = { ISSUER_CORP_CLIENT_ID: 'gateway', ISSUER_CORP_CLIENT_SECRET: 'hush' };

describe('ISSUER_<NAME>_… variables', () => {
  it('name further issuers, in lower case, whose users are their own', () => {
    const { issuers, introspection } = configOf({
      ...CORP,
      ISSUER_CLIENT_URL: 'https://x/',
      ISSUER_CLIENT_AUDIENCE: 'a',
    });
    expect(issuers.slice(1)).toEqual([
      { name: 'client', url: 'https://x/', audiences: ['a'], sharedSubjects: false, typ: 'any' },
      {
        name: 'corp',
        url: CORP.ISSUER_CORP_URL,
        audiences: ['api', 'web'],
        sharedSubjects: false,
        typ: 'any',
      },
    ]);
    expect(issuers[0]?.others).toEqual(['client', 'corp']);
    expect(introspection).toEqual([]);
  });

  it('may bring a client for introspection, asked after that of Zitadel', () => {
    const { introspection } = configOf({
      ...CORP,
      ...CLIENT,
      ZITADEL_CLIENT_ID: 'z',
      ZITADEL_CLIENT_SECRET: 's',
    });
    expect(introspection.map(({ issuer, clientId }) => [issuer.name, clientId])).toEqual([
      ['zitadel', 'z'],
      ['corp', 'gateway'],
    ]);
  });

  it('of a further client of Kanidm demand at+jwt as Kanidm itself does', () => {
    const url = 'https://idm.example.org/oauth2/openid/other';
    const kanidm = { KANIDM_ISSUER_URL: 'https://idm.example.org/oauth2/openid/app', KANIDM_AUDIENCE: 'app' };
    const { issuers } = configOf({ ...kanidm, ISSUER_OTHER_URL: url, ISSUER_OTHER_AUDIENCE: 'other' });
    expect(issuers.map(({ name, typ }) => [name, typ])).toEqual([
      ['zitadel', 'any'],
      ['kanidm', 'at+jwt'],
      ['other', 'at+jwt'],
    ]);
  });

  it.each<[string, Record<string, string>, string[]]>([
    ['without audience', { ISSUER_CORP_URL: 'https://x' }, ['ISSUER_CORP_AUDIENCE']],
    ['without URL', { ISSUER_CORP_AUDIENCE: 'x' }, ['ISSUER_CORP_URL']],
    ['with half a client', { ...CORP, ISSUER_CORP_CLIENT_ID: 'x' }, ['ISSUER_CORP_CLIENT_SECRET']],
    ['with a client alone', CLIENT, ['ISSUER_CORP_URL', 'ISSUER_CORP_AUDIENCE']],
    ['that are no URL', { ...CORP, ISSUER_CORP_URL: 'id.example.org' }, ['ISSUER_CORP_URL']],
    ['with credentials', { ...CORP, ISSUER_CORP_URL: 'https://u:hush@x' }, ['ISSUER_CORP_URL']],
    ['without any audience in the list', { ...CORP, ISSUER_CORP_AUDIENCE: ' , ' }, ['ISSUER_CORP_AUDIENCE']],
    ['in small letters', { ISSUER_corp_URL: 'https://x', ISSUER_corp_AUDIENCE: 'x' }, ['ISSUER_corp_URL']],
    ['of the URL of Zitadel', { ...CORP, ISSUER_CORP_URL: USABLE.ZITADEL_ISSUER_URL }, ['ISSUER_CORP_URL']],
    [
      'of one URL twice',
      { ...CORP, ISSUER_DUP_URL: CORP.ISSUER_CORP_URL, ISSUER_DUP_AUDIENCE: 'x' },
      ['ISSUER_DUP_URL'],
    ],
    ...['ZITADEL', 'KANIDM', 'SESSION', 'ADDRESS'].map((name): [string, Record<string, string>, string[]] => [
      `named ${name}`,
      { [`ISSUER_${name}_URL`]: 'https://x', [`ISSUER_${name}_AUDIENCE`]: 'x' },
      [`ISSUER_${name}_URL`],
    ]),
  ])('are refused %s', (_how, variables, faults) => {
    expect(faultsOf(variables).sort()).toEqual(faults.sort());
  });

  it('cannot share their subjects', () => {
    expect(faultsOf({ ...CORP, SHARED_SUBJECT_ISSUERS: 'corp' })).toEqual(['SHARED_SUBJECT_ISSUERS']);
  });
});

describe('white space around a value is not of it', () => {
  it.each(['\n', ' ', '\r\n', '\t', '\u00a0', '\ufeff'])(
    '%j behind every variable and before it',
    (space) => {
      const variables = {
        ...USABLE,
        ...CORP,
        ...CLIENT,
        ZITADEL_CLIENT_ID: 'id',
        ZITADEL_CLIENT_SECRET: 'secret',
        ZITADEL_ORGANIZATIONS: 'a,b',
        METRICS_TOKEN: 'a-token-of-metrics',
        OPENFGA_API_TOKEN: 'token',
        WEBHOOK_SIGNING_KEYS: 'a, b',
        WEBHOOK_SHARED_SECRET: 'shared',
        TARGET_BILLING_URL: 'https://billing.example.org',
        ALLOWED_ORIGINS: 'https://app.example.org',
        TRUSTED_PROXIES: '10.0.0.0/8',
        REDIS_URL: 'redis://redis',
        RATE_LIMIT: '5/1m',
        PORT: '8080',
        LOG_LEVEL: 'warn',
      };
      const spaced = Object.fromEntries(
        Object.entries(variables).map(([name, value]) => [name, space + value + space]),
      );
      expect(configOf(spaced)).toEqual(configOf(variables));
    },
  );

  it.each([
    'https://auth.example\n.org',
    'https://auth.example.org/a\tb',
    'https://auth.example.org/\u200b',
    'https://auth.example.org/a b',
  ])('within a URL it is a fault: %j', (url) => {
    expect(faultsOf({ ZITADEL_ISSUER_URL: url })).toEqual(['ZITADEL_ISSUER_URL']);
  });
});

describe('issuers whose subjects are users', () => {
  const KANIDM = { KANIDM_ISSUER_URL: 'https://idm.example.org/oauth2/openid/app', KANIDM_AUDIENCE: 'app' };
  const AUTH = {
    FUNCTIONS: 'auth',
    PUBLIC_URL: 'https://app.example.org',
    DATABASE_URL: 'postgres://sallyport@127.0.0.1/sallyport',
  };
  const shared = (variables: Record<string, string>) => configOf(variables).sharedSubjectIssuers;

  it('are Zitadel alone by default; with sign-in exactly sessions and the provider that people move to', () => {
    expect(shared(KANIDM)).toEqual(['zitadel']);
    expect(shared(AUTH)).toEqual(['session', 'zitadel']);
    expect(shared({ ...AUTH, ...KANIDM, MIGRATION_PROVIDER: 'kanidm' })).toEqual(['session', 'kanidm']);
    expect(shared({ ...AUTH, ...KANIDM, MIGRATION_PROVIDER: 'zitadel' })).toEqual(['session', 'zitadel']);
    expect(shared({ ...AUTH, SHARED_SUBJECT_ISSUERS: 'kanidm' })).toEqual(['kanidm']);
    const { issuers, zitadel } = configOf({ ...AUTH, ...KANIDM, MIGRATION_PROVIDER: 'kanidm' });
    expect(issuers.map(({ name, sharedSubjects }) => [name, sharedSubjects])).toEqual([
      ['zitadel', false],
      ['kanidm', true],
    ]);
    expect(zitadel?.issuer.sharedSubjects).toBe(false);
  });

  it('are told apart by iss: PUBLIC_URL is no other issuer’s', () => {
    const url = new URL(USABLE.ZITADEL_ISSUER_URL).origin;
    expect(faultsOf({ ...AUTH, ZITADEL_ISSUER_URL: url, PUBLIC_URL: url })).toEqual(['PUBLIC_URL']);
    expect(faultsOf({ ...AUTH, ...CORP, ISSUER_CORP_URL: AUTH.PUBLIC_URL })).toEqual(['PUBLIC_URL']);
    expect(faultsOf({ ...CORP, ISSUER_CORP_URL: AUTH.PUBLIC_URL, PUBLIC_URL: AUTH.PUBLIC_URL })).toEqual([]);
  });
});

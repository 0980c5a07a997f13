import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECK_NAMES, DEPLOYMENT, REGISTRY } from '../../shared/checks/registry.ts';
import { REQUESTS } from '../../shared/checks/requests.ts';
import { sallyport } from '../support/sallyport.ts';
import { containing, doctor, doctorCommand, doctorWaiting, found } from './stage.ts';

describe('sallyport doctor', () => {
  it('skips what is not set up: without a variable there is nothing red, and it ends well', async () => {
    const results = await doctorCommand({});
    expect(Object.keys(results)).toEqual(CHECK_NAMES);
    const { 'misspelled-variables': misspelled, ...rest } = results;
    expect(misspelled?.status).toBe('green');
    expect(new Set(Object.values(rest).map(({ status }) => status))).toEqual(new Set(['skipped']));
  });

  it('takes a gateway that lacks a variable for broken, and what commands alone read for no gateway', async () => {
    const lacking = await found({ ZITADEL_AUDIENCE: 'api' }, 'configuration');
    expect([lacking.status, lacking.cause]).toEqual(['red', containing('UPSTREAM_URL is missing')]);
    const commands = { BACKUP_DIR: '/nowhere', OPENFGA_URL: 'http://127.0.0.1:1', ENVIRONMENT: 'production' };
    expect(await found(commands, 'configuration')).toMatchObject({ status: 'skipped' });
  });

  it('leads from what cannot be known to the check that says why', async () => {
    const away = 'http://127.0.0.1:1';
    const results = await doctor({
      DATABASE_URL: 'postgres://u@127.0.0.1:1/d',
      ZITADEL_ISSUER_URL: away,
      ZITADEL_AUDIENCE: 'api',
      ZITADEL_SERVICE_TOKEN: 'a-token-that-nobody-takes',
    });
    for (const name of ['cron', 'alarms', 'webhook-inbox', 'reconcile-lag', 'feature-migration'])
      expect(results[name], name).toMatchObject({ status: 'red', next: 'sallyport doctor --only database' });
    for (const name of ['keys', 'issuer-discovery', 'clock-skew'])
      expect(results[name], name).toMatchObject({
        status: 'red',
        cause: containing(away),
        next: 'let ZITADEL_ISSUER_URL lead to a provider that answers here',
      });
    for (const name of ['login-v2', 'zitadel-instance', 'pat-age', 'admin-mfa'])
      expect(results[name]?.next, name).toBe('sallyport doctor --only zitadel-token');
  });

  it('calls what is set and malformed red, in each check that reads it and in no other', async () => {
    const broken = {
      REDIS_URL: 'nonsense',
      DATABASE_URL: 'nonsense',
      ZITADEL_DATABASE_URL: 'nonsense',
      MAIL_URL: 'nonsense',
      ZITADEL_ISSUER_URL: 'nonsense',
      OPENFGA_URL: 'nonsense',
      OPENFGA_STORE_ID: 'x',
    };
    const results = await doctor(broken);
    for (const name of [
      ...['configuration', 'redis', 'database', 'migrations', 'pooler', 'mail', 'openfga', 'openfga-model'],
      ...['zitadel-token', 'zitadel-database', 'cron', 'alarms'],
    ])
      expect([name, results[name]?.status]).toEqual([name, 'red']);
    expect(results['redis']?.next).toContain('write REDIS_URL anew');
    for (const name of ['backups', 'restore-proven', 'misspelled-variables'])
      expect(results[name]?.status, name).not.toBe('red');
  });

  it('prints one line for each check without --json, with the next command', async () => {
    const { code, stdout, stderr } = await sallyport(
      { REDIS_URL: 'redis://127.0.0.1:1' },
      'doctor',
      '--only',
      'redis',
    );
    expect(code).toBe(1);
    expect(stdout).toMatch(/^red +redis +the counter store: ECONNREFUSED.* -> start Redis.*\n$/);
    expect(stderr).toContain('1 checks: 0 green, 0 yellow, 1 red, 0 skipped');
  });

  it('exits with 2 and the names for a check that does not exist', async () => {
    const { code, stdout, stderr } = await sallyport({}, 'doctor', '--only', 'nonsense');
    expect([code, stdout]).toEqual([2, '']);
    for (const name of CHECK_NAMES) expect(stderr).toContain(name);
  });

  it('takes what a deployment or what requests need', async () => {
    const names = async (purpose: string) =>
      (
        JSON.parse((await sallyport({}, 'doctor', '--json', '--for', purpose)).stdout) as { name: string }[]
      ).map(({ name }) => name);
    expect(await names('deployment')).toEqual(
      CHECK_NAMES.filter((name) => DEPLOYMENT.some((each) => each === name)),
    );
    expect(await names('requests')).toEqual(Object.keys(REQUESTS));
  });

  it('says of every check what it needs, what green means, a cause and a next step', () => {
    for (const [name, { needs, green, cause, next }] of Object.entries(REGISTRY))
      for (const text of [needs, green, cause, next]) expect(text, name).toMatch(/\w/);
  });

  it('misspelled-variables is red where the setting is lost, yellow beside the right name', async () => {
    const lost = await found({ OPENFGA_STOREID: 'x' }, 'misspelled-variables');
    expect(lost).toMatchObject({ status: 'red', next: 'rename OPENFGA_STOREID to OPENFGA_STORE_ID' });
    const beside = await found(
      { OPENFGA_STOREID: 'x', OPENFGA_STORE_ID: '01J00000000000000000000000' },
      'misspelled-variables',
    );
    expect(beside.status).toBe('yellow');
  });

  it('configuration is red with the line of a wrong rule, and green where a gateway would start', async () => {
    const variables = {
      UPSTREAM_URL: 'http://127.0.0.1:1',
      OPENFGA_URL: 'http://127.0.0.1:1',
      OPENFGA_STORE_ID: '01J00000000000000000000000',
      OPENFGA_MODEL: 'off',
      ZITADEL_ISSUER_URL: 'https://auth.example.org',
      ZITADEL_AUDIENCE: 'api',
      REDIS_URL: 'redis://127.0.0.1:1',
      ASSERTION_KEYS: 'off',
      ACCESS_RULES: '[{"path":"/a","method":"GET","feature":"public_access"}]',
    };
    expect(await found(variables, 'configuration')).toMatchObject({ status: 'green' });
    const wrong = { ...variables, ACCESS_RULES: '[{"path":"a","method":"GET","feature":"public_access"}]' };
    expect(await found(wrong, 'configuration')).toMatchObject({
      status: 'red',
      next: 'sallyport rules check',
    });
  });
});

const SECRETS = {
  OPENFGA_API_TOKEN: 'token-of-openfga-1',
  ZITADEL_CLIENT_SECRET: 'secret-of-client-2',
  ZITADEL_SERVICE_TOKEN: 'token-of-service-3',
  WEBHOOK_SIGNING_KEYS: 'signing-key-five',
  SESSION_KEYS: '{"keys":["six-is-no-key"]}',
  KANIDM_TOKEN: 'token-of-kanidm-7',
};

describe('servers that never answer', () => {
  let silent: Server;
  let port: number;
  beforeAll(async () => {
    silent = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    ({ port } = silent.address() as AddressInfo);
  });
  afterAll(() => {
    silent.close();
  });

  it('hold no other check up, end every wait, and no secret is printed', async () => {
    const url = `http://127.0.0.1:${port}`;
    const passwords = ['hidden-in-redis', 'hidden-in-postgres', 'hidden-in-mail', 'hidden-in-zitadel'];
    const [redis = '', postgres = '', mail = '', zitadel = ''] = passwords;
    const variables = {
      ...SECRETS,
      UPSTREAM_URL: url,
      OPENFGA_URL: url,
      OPENFGA_STORE_ID: '01J00000000000000000000000',
      ZITADEL_ISSUER_URL: url,
      ZITADEL_AUDIENCE: 'api',
      ZITADEL_CLIENT_ID: 'gateway',
      KANIDM_ISSUER_URL: `${url}/oauth2/openid/api`,
      KANIDM_AUDIENCE: 'api',
      REDIS_URL: `redis://user:${redis}@127.0.0.1:${port}`,
      DATABASE_URL: `postgres://user:${postgres}@127.0.0.1:${port}/db`,
      MAIL_URL: `smtp://user:${mail}@127.0.0.1:${port}?tls=off`,
      MAIL_FROM: 'a@example.org',
      ZITADEL_DATABASE_URL: `postgres://user:${zitadel}@127.0.0.1:${port}/zitadel`,
      FUNCTIONS: 'auth',
      PUBLIC_URL: url,
    };
    const results = await doctorWaiting(variables);
    expect(Object.keys(results)).toEqual(CHECK_NAMES);
    for (const name of ['keys', 'openfga', 'redis', 'database', 'mail', 'zitadel-token', 'zitadel-database'])
      expect(results[name], name).toMatchObject({ status: 'red' });
    expect(results['misspelled-variables']?.status).toBe('green');
    const printed = JSON.stringify(results);
    for (const secret of [...Object.values(SECRETS), ...passwords, 'six-is-no-key'])
      expect(printed).not.toContain(secret);
  });
});

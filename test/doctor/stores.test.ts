// Long because each store of the gateway is turned red on its real server.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openFgaModels, openFgaStores } from '../../shared/adapters/openfga/models.ts';
import { openFgaClient } from '../../shared/adapters/openfga/client.ts';
import { parseModel } from '../../shared/adapters/openfga/model-file.ts';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import { undiciExchange } from '../../shared/adapters/undici/exchange.ts';
import { readFile } from 'node:fs/promises';
import { startRealOpenFga, type OpenFgaService } from '../services/openfga.ts';
import { pgBouncerMissing, startPgBouncer } from '../services/pgbouncer.ts';
import { startRedis } from '../services/redis.ts';
import { startSmtp, type SmtpService } from '../services/smtp.ts';
import { withAdmin } from '../services/redis-time.ts';
import { makeCertificates } from '../support/certificates.ts';
import { DATABASES, emptyDatabase, type MigratedDatabase } from '../support/databases.ts';
import { FULL } from '../support/scale.ts';
import { containing, doctor, doctorWaiting, found, matching } from './stage.ts';

const [, POSTGRES] = DATABASES;
const TOKEN = 'preshared-key-of-openfga';
const RULES = JSON.stringify([{ path: '/r', method: 'GET', feature: 'feature:report_viewer' }]);

const openfga: OpenFgaService | undefined = await startRealOpenFga({ apiToken: TOKEN });
afterAll(() => openfga?.close());

describe.skipIf(openfga === undefined)('checks of a real OpenFGA (skipped: not installed)', () => {
  let variables: Record<string, string>;
  beforeAll(async () => {
    const url = openfga?.url ?? '';
    const stores = openFgaStores({ url, apiToken: TOKEN }, undiciExchange);
    const storeId = await stores.create('doctor');
    await stores.models(storeId).write(parseModel(await readFile('config/model.fga', 'utf8')));
    variables = {
      UPSTREAM_URL: url,
      OPENFGA_URL: url,
      OPENFGA_STORE_ID: storeId,
      OPENFGA_API_TOKEN: TOKEN,
      ACCESS_RULES: RULES,
    };
  });
  const all = ['openfga', 'openfga-model', 'rules-model', 'network-exposure'];

  it('are green with its store, the model of the file and rules that fit', async () => {
    const results = await doctor(variables, all);
    expect(Object.values(results).map(({ status }) => status)).toEqual(['green', 'green', 'green', 'green']);
  });

  it('are red without the token, and for a store that is not there', async () => {
    const foreign = { ...variables, OPENFGA_API_TOKEN: 'another-token' };
    const results = await doctor(foreign, ['openfga', 'openfga-model']);
    expect(results['openfga']).toMatchObject({
      status: 'red',
      next: containing('OPENFGA_API_TOKEN'),
    });
    expect(results['openfga-model']).toMatchObject({ status: 'red' });
    const store = await found({ ...variables, OPENFGA_STORE_ID: '01J00000000000000000000000' }, 'openfga');
    expect(store).toMatchObject({ status: 'red', cause: containing('has no store') });
  });

  it('say that a connection failed', async () => {
    const { status, cause } = await found({ ...variables, OPENFGA_URL: 'http://127.0.0.1:1' }, 'openfga');
    expect([status, cause]).toEqual(['red', containing('failed to connect to OpenFGA')]);
  });

  it('rules-model is red with the line of a rule that asks for what the model lacks', async () => {
    const rules = '[\n  { "path": "/r", "method": "GET", "object": "invoice:1", "action": "view" }\n]';
    const { status, cause } = await found({ ...variables, ACCESS_RULES: rules }, 'rules-model');
    expect([status, cause]).toEqual(['red', containing('ACCESS_RULES:2:')]);
    expect(cause).toContain('invoice');
  });

  it('openfga-model is red for an empty store and a pinned model that is not there, yellow for another one', async () => {
    const url = openfga?.url ?? '';
    const stores = openFgaStores({ url, apiToken: TOKEN }, undiciExchange);
    const empty = { ...variables, OPENFGA_STORE_ID: await stores.create('empty') };
    expect(await found(empty, 'openfga-model')).toMatchObject({
      status: 'red',
      next: 'sallyport fga bootstrap',
    });
    const pinned = { ...variables, OPENFGA_MODEL_ID: '01J00000000000000000000000' };
    expect(await found(pinned, 'openfga-model')).toMatchObject({
      status: 'red',
      cause: containing('pins'),
    });
    const client = openFgaClient(
      { url, storeId: empty.OPENFGA_STORE_ID, modelId: null, apiToken: TOKEN },
      undiciExchange,
    );
    await openFgaModels(client).write(parseModel('model\n  schema 1.1\ntype user\n'));
    expect(await found(empty, 'openfga-model')).toMatchObject({ status: 'yellow' });
  });
});

const redis = await startRedis();
afterAll(() => redis?.close());

describe.skipIf(redis === undefined)('the check of a real Redis (skipped: not installed)', () => {
  const url = redis?.url ?? '';
  const set = async (...command: string[]): Promise<void> => {
    await withAdmin(url, (admin) => admin.sendCommand(command));
  };

  it('is green where the store counts and drops nothing', async () => {
    expect(await found({ REDIS_URL: url }, 'redis')).toMatchObject({ status: 'green' });
  });

  it.each([
    ['a full store', ['CONFIG', 'SET', 'maxmemory', '1'], ['CONFIG', 'SET', 'maxmemory', '0'], /OOM/],
    ['a replica', ['REPLICAOF', '127.0.0.1', '1'], ['REPLICAOF', 'NO', 'ONE'], /READONLY/],
    [
      'a user without scripts',
      ['ACL', 'SETUSER', 'default', '-@scripting'],
      ['ACL', 'SETUSER', 'default', '+@all'],
      /NOPERM/,
    ],
  ])('is red for %s', async (_what, begin, end, fault) => {
    await set(...begin);
    onTestFinished(() => set(...end));
    const { status, cause } = await found({ REDIS_URL: url }, 'redis');
    expect([status, cause]).toEqual(['red', matching(fault)]);
    expect(cause).toContain('each process limits by counters of its own');
  });

  it('is red for a store that drops marks when it is full, yellow while it has no bound', async () => {
    await set('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    onTestFinished(() => set('CONFIG', 'SET', 'maxmemory-policy', 'noeviction'));
    expect(await found({ REDIS_URL: url }, 'redis')).toMatchObject({ status: 'yellow' });
    await set('CONFIG', 'SET', 'maxmemory', '100mb');
    onTestFinished(() => set('CONFIG', 'SET', 'maxmemory', '0'));
    const { status, next } = await found({ REDIS_URL: url }, 'redis');
    expect([status, next]).toEqual(['red', containing('noeviction')]);
  });

  it('says that rate limiting is skipped where that was chosen', async () => {
    const away = { REDIS_URL: 'redis://127.0.0.1:1', RATE_LIMIT_FAILURE: 'open' };
    const { status, cause } = await found(away, 'redis');
    expect([status, cause]).toEqual(['red', containing('rate limiting is skipped')]);
  });
});

describe.skipIf(POSTGRES.missing)('checks of a real Postgres (needs the postgresql package)', () => {
  let db: MigratedDatabase;
  beforeAll(async () => {
    db = await POSTGRES.start();
  });
  afterAll(() => db.close());

  it('are green where it takes writes and is as the migrations promise', async () => {
    const results = await doctor({ DATABASE_URL: db.url }, ['database', 'migrations', 'pooler']);
    expect(Object.values(results).map(({ status }) => status)).toEqual(['green', 'green', 'green']);
  });

  it('migrations is red while one is pending', async () => {
    const empty = await emptyDatabase();
    onTestFinished(() => empty.close());
    const { status, next } = await found({ DATABASE_URL: empty.url }, 'migrations');
    expect([status, next]).toEqual(['red', 'sallyport db migrate']);
  });

  it('database is red for a role without rights, a read-only server and one that is away', async () => {
    const role = `doctor_${Date.now()}`;
    const session = await openPgSession(db.url);
    await session.script(`create role ${role} login`);
    onTestFinished(async () => {
      await session.script(`drop role ${role}`);
      await session.close();
    });
    const as = new URL(db.url);
    as.username = role;
    const rights = await found({ DATABASE_URL: as.href }, 'database');
    expect([rights.status, rights.cause]).toEqual(['red', containing('permission denied')]);
    const readOnly = `${db.url}?options=-c%20default_transaction_read_only%3Don`;
    expect(await found({ DATABASE_URL: readOnly }, 'database')).toMatchObject({
      status: 'red',
      cause: containing('takes no writes'),
    });
    as.username = 'nobody_of_this_name';
    expect(await found({ DATABASE_URL: as.href }, 'database')).toMatchObject({
      status: 'red',
      cause: containing('authentication failed'),
    });
    const away = await found({ DATABASE_URL: 'postgres://u@127.0.0.1:1/d' }, 'database');
    expect([away.status, away.cause]).toEqual(['red', containing('ECONNREFUSED')]);
  });

  it('a server that falls silent in the middle of a check ends neither the others nor the command', async () => {
    const { port } = new URL(db.url);
    const proxy = createServer((client) => {
      const server = connect(Number(port), '127.0.0.1');
      let chunks = 0;
      client.pipe(server);
      server.on('data', (chunk) => {
        chunks += 1;
        if (chunks <= 3) client.write(chunk);
      });
      for (const socket of [client, server]) {
        socket.on('error', () => undefined);
        socket.on('close', () => {
          client.destroy();
          server.destroy();
        });
      }
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    onTestFinished(() => void proxy.close());
    const silent = new URL(db.url);
    silent.port = String((proxy.address() as AddressInfo).port);
    const results = await doctorWaiting({ DATABASE_URL: silent.href }, 'migrations', 'misspelled-variables');
    expect(results['migrations']).toMatchObject({
      status: 'red',
      cause: containing(`no answer within ${FULL ? 20 : 1} s`),
    });
    expect(results['misspelled-variables']).toMatchObject({ status: 'green' });
  });

  it.skipIf(pgBouncerMissing)('pooler is green by transactions, and red by statements', async () => {
    const bouncer = await startPgBouncer(db.url, 2);
    onTestFinished(() => bouncer.close());
    const { status, cause } = await found({ DATABASE_URL: bouncer.through(db.url) }, 'pooler');
    expect([status, cause]).toEqual(['green', containing('pooler')]);
    const statements = await startPgBouncer(db.url, 2, 'statement');
    onTestFinished(() => statements.close());
    expect(await found({ DATABASE_URL: statements.through(db.url) }, 'pooler')).toMatchObject({
      status: 'red',
    });
  });
});

describe('the check of a mail server', () => {
  const account = { user: 'gateway', password: 'the-password-of-mails' };
  const certificates = makeCertificates();
  let smtp: SmtpService;
  beforeAll(async () => {
    smtp = await startSmtp({ account, certificate: certificates.good });
  });
  afterAll(() => smtp.close());
  const url = (password: string, query = '') => ({
    MAIL_URL: `smtp://${account.user}:${password}@localhost:${smtp.port}${query}`,
    MAIL_FROM: 'Example <no-reply@example.org>',
  });

  it('is red for a certificate that is not trusted, and for a port where nothing listens', async () => {
    const { status, next } = await found(url(account.password), 'mail');
    expect([status, next]).toEqual(['red', containing('ca=')]);
    const away = { MAIL_URL: 'smtp://127.0.0.1:1?tls=off', MAIL_FROM: 'a@example.org' };
    expect(await found(away, 'mail')).toMatchObject({ status: 'red' });
  });

  it('is red for a wrong password and does not print it; green with the right one', async () => {
    const open = await startSmtp({ account });
    onTestFinished(() => open.close());
    const at = (password: string) => ({
      MAIL_URL: `smtp://${account.user}:${password}@127.0.0.1:${open.port}?tls=off`,
      MAIL_FROM: 'a@example.org',
    });
    const wrong = await found(at('a-wrong-password'), 'mail');
    expect(wrong.status).toBe('red');
    expect(JSON.stringify(wrong)).not.toContain('a-wrong-password');
    expect(await found(at(account.password), 'mail')).toMatchObject({ status: 'green' });
    expect(open.received).toEqual([]);
  });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startNeonEndpoint } from '../../dev/neon.ts';
import { alarmsJobs } from '../../functions/alarms/function.ts';
import { readStates } from '../../functions/cron/runs.ts';
import type { WatchedConfig } from '../../functions/alarms/slice.ts';
import { createPlatform } from '../../shared/adapters/node/platform.ts';
import { standingAlarms } from '../../shared/figures/alarms.ts';
import { sql } from '../../shared/ports/database.ts';
import { systemClock, webRandom } from '../../shared/runtime.ts';
import { backup, proven } from '../doctor/stage.ts';
import { pat, startZitadelAnswers, type ZitadelAnswers } from '../doctor/zitadel-api.ts';
import { makeCertificates } from '../support/certificates.ts';
import { DATABASE, DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { ENTRY, startInWorkerd } from '../support/in-workerd.ts';

const NOTHING: WatchedConfig = { zitadel: null, addresses: [], backupDir: null };

describe('the job that watches what runs out', () => {
  let db: MigratedDatabase;
  let zitadel: ZitadelAnswers;
  beforeAll(async () => {
    [db, zitadel] = await Promise.all([DATABASE.start(), startZitadelAnswers()]);
  });
  afterAll(async () => {
    await zitadel.close();
    await db.close();
  });
  beforeEach(async () => {
    await db.database.execute(
      sql`truncate sallyport_alarms, sallyport_alarm_events, sallyport_leases, sallyport_cron_runs`,
    );
  });

  const run = (watched: Partial<WatchedConfig>, { certificates = true } = {}) => {
    const platform = createPlatform();
    return alarmsJobs({
      database: db.database,
      platform: certificates ? platform : { ...platform, certificate: null },
      clock: systemClock,
      random: webRandom(),
      log: platform.log('silent'),
      outbox: null,
      config: {
        alarms: { figuresKept: false, dashboard: null, providers: [], watched: { ...NOTHING, ...watched } },
        alerts: { email: null, webhook: null },
      },
    }).watch.run({ signal: new AbortController().signal, dryRun: false });
  };
  const account = () => ({ url: zitadel.url, token: zitadel.token });
  const listed = (...result: object[]): void => {
    zitadel.set('POST /v2/users/pats/search', { pagination: { totalResult: String(result.length) }, result });
  };
  /** The fetching of missed events ended so long ago. */
  const reconciled = async (ago: string): Promise<void> => {
    await db.database.execute(sql`truncate sallyport_leases, sallyport_cron_runs`);
    await db.database.execute(
      sql`insert into sallyport_leases (name, run_id, expires_at, last_success_at)
          values ('webhooks-reconcile', gen_random_uuid(), now(), now() - ${ago}::interval)`,
    );
  };

  it('raises pat-expiry for a token older than 90 days, once, and clears it after it was rotated', async () => {
    await reconciled('1 minute');
    listed(pat('1', 91, 60));
    expect(await run({ zitadel: account() })).toMatchObject({
      raised: ['pat-expiry'],
      standing: ['pat-expiry'],
    });
    expect(await run({ zitadel: account() })).toMatchObject({ raised: [], standing: ['pat-expiry'] });
    const [alarm] = await standingAlarms(db.database);
    expect(alarm?.detail).toContain('token 1 of account 401534526716644390 is 91 days old');
    listed(pat('2', 0, 90));
    expect(await run({ zitadel: account() })).toMatchObject({ cleared: ['pat-expiry'], standing: [] });
  });

  it('raises pat-expiry when its own token is none any more, and leaves it as it is while Zitadel is away', async () => {
    await reconciled('1 minute');
    expect(await run({ zitadel: { ...account(), token: 'a-dead-token' } })).toMatchObject({
      raised: ['pat-expiry'],
    });
    const away = { url: 'http://127.0.0.1:1', token: 'a-dead-token' };
    expect(await run({ zitadel: away })).toMatchObject({ raised: [], cleared: [] });
    expect((await standingAlarms(db.database)).map(({ name }) => name)).toEqual(['pat-expiry']);
  });

  it('raises reconcile-lag after half an hour, not before', async () => {
    listed();
    await reconciled('25 minutes');
    expect(await run({ zitadel: account() })).toMatchObject({ raised: [] });
    await reconciled('35 minutes');
    expect(await run({ zitadel: account() })).toMatchObject({ raised: ['reconcile-lag'] });
    await reconciled('1 minute');
    expect(await run({ zitadel: account() })).toMatchObject({ cleared: ['reconcile-lag'] });
  });

  it('raises no reconcile-lag in the first minutes of a new database', async () => {
    listed();
    await db.database.execute(
      sql`insert into sallyport_cron_runs (run_id, job) values (gen_random_uuid(), 'watch')`,
    );
    expect(await run({ zitadel: account() })).toMatchObject({ raised: [] });
  });

  it('raises backup-age without a backup of the last 26 hours or one that was restored, and clears it with both', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-watched-'));
    try {
      expect(await run({ backupDir: join(folder, 'nowhere') })).toMatchObject({ raised: ['backup-age'] });
      await backup(folder, '20270101030000', 30);
      expect(await run({ backupDir: folder })).toMatchObject({ raised: [], standing: ['backup-age'] });
      await backup(folder, '20270102030000', 2);
      expect(await run({ backupDir: folder })).toMatchObject({ standing: ['backup-age'] });
      expect((await standingAlarms(db.database))[0]?.detail).toContain('no backup was ever restored');
      await proven(folder, 3);
      expect(await run({ backupDir: folder })).toMatchObject({ cleared: ['backup-age'] });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('raises certificate-expiry for one with two days left; without certificates it says that they are left out', async () => {
    const { good } = makeCertificates();
    const server: Server = createServer({ cert: good.cert, key: good.key }, (socket) => socket.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const addresses = [
        { variables: ['UPSTREAM_URL'], address: { host: 'localhost', port, begins: 'at once' as const } },
        { variables: ['PUBLIC_URL'], address: { host: 'localhost', port: 1, begins: 'at once' as const } },
      ];
      expect(await run({ addresses })).toMatchObject({ raised: ['certificate-expiry'] });
      expect(await run({ addresses }, { certificates: false })).toMatchObject({
        left_out: ['certificates'],
        cleared: [],
      });
      // Away for a moment it is no renewed one.
      expect(await run({ addresses: addresses.slice(1) })).toMatchObject({ cleared: [] });
      expect(await run({})).toMatchObject({ cleared: ['certificate-expiry'] });
    } finally {
      server.close();
    }
  });
});

const [, POSTGRES] = DATABASES;

describe.skipIf(POSTGRES.missing)('the same job in workerd (needs the postgresql package)', () => {
  it('judges tokens and missed events, and says what a Worker cannot see', async () => {
    const [db, neon, zitadel] = await Promise.all([
      POSTGRES.start(),
      startNeonEndpoint(),
      startZitadelAnswers(),
    ]);
    zitadel.set('POST /v2/users/pats/search', { result: [pat('1', 91, 60)] });
    const worker = await startInWorkerd(ENTRY, {
      variables: {
        UPSTREAM_URL: 'https://api.example.org',
        OPENFGA_URL: 'http://127.0.0.1:1',
        OPENFGA_STORE_ID: '01J00000000000000000000000',
        ZITADEL_ISSUER_URL: zitadel.url,
        ZITADEL_AUDIENCE: 'api',
        ZITADEL_SERVICE_TOKEN: zitadel.token,
        BACKUP_DIR: '/backups',
        DATABASE_URL: `${db.url}?sslmode=disable`,
        DATABASE_HTTP_ENDPOINT: neon.endpoint,
      },
    });
    try {
      expect(await worker.trigger('*/10 * * * *', Date.UTC(2030, 0, 1, 10, 10))).toBe('ok');
      const state = (await readStates(db.database)).find(({ job }) => job === 'watch');
      expect(state).toMatchObject({
        last_outcome: 'done',
        last_detail: { raised: ['pat-expiry'], left_out: ['certificates', 'backups'] },
      });
    } finally {
      await worker.close();
      await zitadel.close();
      await neon.close();
      await db.close();
    }
  });
});

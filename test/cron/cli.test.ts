import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startZitadel, type Zitadel } from '../../dev/zitadel/index.ts';
import { DATABASE, type MigratedDatabase } from '../support/databases.ts';
import { sallyport, type Variables } from '../support/sallyport.ts';

describe('the commands of jobs and of the reconcile', () => {
  let db: MigratedDatabase;
  let zitadel: Zitadel;
  let variables: Variables;
  beforeAll(async () => {
    db = await DATABASE.start();
    zitadel = await startZitadel();
    variables = {
      UPSTREAM_URL: 'http://127.0.0.1:1',
      OPENFGA_URL: 'http://127.0.0.1:1',
      OPENFGA_STORE_ID: '01J00000000000000000000000',
      ZITADEL_ISSUER_URL: zitadel.url,
      ZITADEL_AUDIENCE: 'api',
      ZITADEL_SERVICE_TOKEN: zitadel.token,
      DATABASE_URL: db.url,
    };
  });
  afterAll(async () => {
    await zitadel.close();
    await db.close();
  });

  it('reconcile prints what was missed, stores it once, and changes nothing in a dry run', async () => {
    const { id } = zitadel.users.create({ userName: 'ada' });
    const run = async (...options: string[]) => {
      const { code, stdout, stderr } = await sallyport(
        variables,
        ...['webhooks', 'reconcile', '--since', '1h', '--json', ...options],
      );
      expect([code, stderr]).toEqual([0, '']);
      return (JSON.parse(stdout) as { missed: unknown[] }).missed;
    };
    const ada = expect.objectContaining({ subject: id, sequence: 1, type: 'user.human.added' }) as unknown;
    expect(await run('--dry-run')).toEqual([ada]);
    expect(await run()).toEqual([ada]);
    expect(await run()).toEqual([]);
  });

  it('runs a job by hand, and lists every job with its last run', async () => {
    const ran = await sallyport(variables, 'cron', 'run', 'webhooks-reconcile', '--json');
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    expect(JSON.parse(ran.stdout)).toMatchObject({ job: 'webhooks-reconcile', compared: 1, complete: true });
    const listed = await sallyport(variables, 'cron', 'list', '--json');
    expect(JSON.parse(listed.stdout)).toEqual([
      { job: 'webhooks-apply', schedule: '* * * * *' },
      expect.objectContaining({ job: 'webhooks-reconcile', schedule: '*/5 * * * *', last_outcome: 'done' }),
      { job: 'revocations-remark', schedule: '*/10 * * * *' },
      { job: 'webhooks-prune', schedule: '30 3 * * *' },
      { job: 'mail-send', schedule: '* * * * *' },
      { job: 'mail-prune', schedule: '30 3 * * *' },
      { job: 'figures-rollup', schedule: '*/5 * * * *' },
      { job: 'alarms', schedule: '*/5 * * * *' },
      { job: 'watch', schedule: '*/10 * * * *' },
      { job: 'weekly-report', schedule: '0 6 * * MON' },
    ]);
  });

  it('says that the reconcile is not configured without a service account', async () => {
    const without = { ...variables, ZITADEL_SERVICE_TOKEN: '' };
    const job = await sallyport(without, 'cron', 'run', 'webhooks-reconcile');
    expect([job.code, job.stdout]).toEqual([0, expect.stringContaining('ZITADEL_SERVICE_TOKEN') as unknown]);
    const command = await sallyport(without, 'webhooks', 'reconcile');
    expect([command.code, command.stderr]).toEqual([
      1,
      expect.stringContaining('ZITADEL_SERVICE_TOKEN') as unknown,
    ]);
  });

  it('refuses a job that does not exist', async () => {
    const { code, stderr } = await sallyport(variables, 'cron', 'run', 'nonsense');
    expect([code, stderr]).toEqual([2, expect.stringContaining('there is no job nonsense') as unknown]);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readStates } from '../../functions/cron/runs.ts';
import { startNeonEndpoint, type NeonEndpoint } from '../../dev/neon.ts';
import { readOverall } from '../../shared/figures/read.ts';
import { sql } from '../../shared/ports/database.ts';
import { makeUser } from '../auth/people.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { ENTRY, startInWorkerd, type InWorkerd } from '../support/in-workerd.ts';

const postgres = DATABASES[1];

describe.skipIf(postgres.missing)('scheduled() in workerd (needs the postgresql package)', () => {
  let db: MigratedDatabase;
  let neon: NeonEndpoint;
  let worker: InWorkerd;
  beforeAll(async () => {
    db = await postgres.start();
    neon = await startNeonEndpoint();
    const variables = {
      UPSTREAM_URL: 'http://127.0.0.1:1',
      OPENFGA_URL: 'http://127.0.0.1:1',
      OPENFGA_STORE_ID: '01J00000000000000000000000',
      FUNCTIONS: 'analytics',
      DATABASE_URL: `${db.url}?sslmode=disable`,
      DATABASE_HTTP_ENDPOINT: neon.endpoint,
    };
    worker = await startInWorkerd(ENTRY, { variables });
  });
  afterAll(async () => {
    await worker.close();
    await neon.close();
    await db.close();
  });
  it('serves a time in an isolate that a request has started, whose objects no trigger may touch', async () => {
    expect((await worker.fetch('http://gate.test/health')).status).toBe(200);
    expect(await worker.trigger('* * * * *', Date.UTC(2030, 0, 1, 10, 10))).toBe('ok');
    await db.database.execute(sql`delete from sallyport_leases`);
  });

  it('keeps the figures', async () => {
    await makeUser(db.database);
    expect(await worker.trigger('*/5 * * * *', Date.UTC(2030, 0, 1, 10, 5))).toBe('ok');
    expect(await readOverall(db.database, 'all')).toMatchObject({
      as_of: expect.any(String) as string,
      values: { total_users: 1, password_only: 1 },
    });
    await db.database.execute(sql`delete from sallyport_leases`);
  });

  it('serves a time of the schedule once, and refuses a schedule without a job', async () => {
    const time = Date.UTC(2030, 0, 1, 10, 10);
    expect(await worker.trigger('*/10 * * * *', time)).toBe('ok');
    const ran = await readStates(db.database);
    expect(ran.map(({ job }) => job)).toEqual(['revocations-remark', 'watch']);
    expect(ran[0]).toMatchObject({ job: 'revocations-remark', last_outcome: 'done' });
    expect(await worker.trigger('*/10 * * * *', time)).toBe('ok');
    expect(await readStates(db.database)).toEqual(ran);
    expect(await worker.trigger('0 0 * * *', time)).not.toBe('ok');
    expect(await readStates(db.database)).toEqual(ran);
  });
});

import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { unstable_startWorker } from 'wrangler';
import { readStates } from '../../functions/cron/runs.ts';
import { startNeonEndpoint, type NeonEndpoint } from '../../dev/neon.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';

// Nothing of the test leaves this machine.
vi.stubEnv('CLOUDFLARE_CF_FETCH_ENABLED', 'false');
vi.stubEnv('WRANGLER_SEND_METRICS', 'false');

const ENTRY = fileURLToPath(new URL('../../functions/index.ts', import.meta.url));
const postgres = DATABASES[1]!;

describe.skipIf(postgres.missing)('scheduled() in workerd (needs the postgresql package)', () => {
  let db: MigratedDatabase;
  let neon: NeonEndpoint;
  let worker: Awaited<ReturnType<typeof unstable_startWorker>>;
  beforeAll(async () => {
    db = await postgres.start();
    neon = await startNeonEndpoint();
    const variables = {
      UPSTREAM_URL: 'http://127.0.0.1:1',
      OPENFGA_URL: 'http://127.0.0.1:1',
      OPENFGA_STORE_ID: '01J00000000000000000000000',
      DATABASE_URL: `${db.url}?sslmode=disable`,
      DATABASE_HTTP_ENDPOINT: neon.endpoint,
    };
    worker = await unstable_startWorker({
      name: 'cron',
      entrypoint: ENTRY,
      config: '',
      build: { nodejsCompatMode: 'v2' },
      envFiles: [],
      sendMetrics: false,
      compatibilityDate: '2026-01-01',
      compatibilityFlags: ['nodejs_compat'],
      bindings: Object.fromEntries(
        Object.entries(variables).map(([name, value]) => [name, { type: 'plain_text' as const, value }]),
      ),
      dev: { logLevel: 'none', server: { hostname: '127.0.0.1', port: 0 }, inspector: false, watch: false },
    });
    await worker.ready;
  });
  afterAll(async () => {
    await worker.dispose();
    await neon.close();
    await db.close();
  });
  const trigger = async (pattern: string, time: number): Promise<string> => {
    const query = new URLSearchParams({ cron: pattern, time: String(time) }).toString();
    return (await worker.fetch(`http://cron.test/cdn-cgi/handler/scheduled?${query}`)).text();
  };

  it('serves a time of the schedule once, and refuses a schedule without a job', async () => {
    const time = Date.UTC(2030, 0, 1, 10, 10);
    expect(await trigger('*/10 * * * *', time)).toBe('ok');
    const [first] = await readStates(db.database);
    expect(first).toMatchObject({ job: 'revocations-remark', last_outcome: 'done' });
    expect(await trigger('*/10 * * * *', time)).toBe('ok');
    expect(await readStates(db.database)).toEqual([first]);
    expect(await trigger('0 0 * * *', time)).not.toBe('ok');
    expect(await readStates(db.database)).toEqual([first]);
  });
});

import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { unstable_startWorker } from 'wrangler';
import { startNeonEndpoint, type NeonEndpoint } from '../services/neon.ts';
import { postgresMissing, startPostgres, type PostgresService } from '../services/postgres.ts';

// Nothing of the test leaves this machine.
vi.stubEnv('CLOUDFLARE_CF_FETCH_ENABLED', 'false');
vi.stubEnv('WRANGLER_SEND_METRICS', 'false');

const ENTRY = fileURLToPath(new URL('database.worker.ts', import.meta.url));

describe.skipIf(postgresMissing)('inside workerd (needs the postgresql package)', () => {
  let service: PostgresService;
  let neon: NeonEndpoint;
  let worker: Awaited<ReturnType<typeof unstable_startWorker>>;
  beforeAll(async () => {
    service = (await startPostgres())!;
    neon = await startNeonEndpoint();
    worker = await unstable_startWorker({
      name: 'database-contract',
      entrypoint: ENTRY,
      config: '',
      build: { nodejsCompatMode: 'v2' },
      envFiles: [],
      sendMetrics: false,
      compatibilityDate: '2026-01-01',
      compatibilityFlags: ['nodejs_compat'],
      bindings: {
        DATABASE_URL: { type: 'plain_text', value: `${service.url}?sslmode=disable` },
        NEON_ENDPOINT: { type: 'plain_text', value: neon.endpoint },
      },
      dev: { logLevel: 'none', server: { hostname: '127.0.0.1', port: 0 }, inspector: false, watch: false },
    });
    await worker.ready;
  });
  afterAll(async () => {
    await worker.dispose();
    await neon.close();
    await service.close();
  });

  it.each(['neon', 'pg'])('%s answers as it does in Node', async (driver) => {
    const response = await worker.fetch(`http://database.test/${driver}`);
    expect(await response.json()).toEqual({
      text: 'ünï',
      number: 7,
      date: true,
      bytes: true,
      transaction: [[{ one: 1 }], [{ two: 2 }]],
      refused: '22012',
      slow: 'unavailable',
    });
  });
});

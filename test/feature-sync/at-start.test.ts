import { afterEach, describe, expect, it, vi } from 'vitest';
import { startServer, type RunningServer } from '../../functions/node/process.ts';
import type { OpenFgaService } from '../services/openfga.ts';
import type { Ground } from './ground.ts';
import { tuple } from './memory.ts';
import { rulesFile } from './rules.ts';
import { setStage } from './stage.ts';
import { METRICS_TOKEN } from '../support/world.ts';
import { PAIR, type TestDatabase } from './stores.ts';

describe('FEATURE_SYNC=start', () => {
  let fga: OpenFgaService;
  let tables: TestDatabase;
  let ground: Ground;
  setStage(PAIR, (stage) => {
    ({ server: fga, tables, ground } = stage);
  });
  const running: RunningServer[] = [];
  afterEach(async () => {
    for (const each of running.splice(0)) await each.close();
  });

  const start = async (before: Record<string, string>, after: Record<string, string>, more = {}) => {
    const server = await startServer({
      UPSTREAM_URL: 'http://127.0.0.1:1',
      OPENFGA_URL: fga.url,
      OPENFGA_STORE_ID: ground.storeId,
      DATABASE_URL: tables.url,
      ACCESS_RULES_PREV: rulesFile(before),
      ACCESS_RULES: rulesFile(after),
      FEATURE_SYNC: 'start',
      HOST: '127.0.0.1',
      PORT: '0',
      LOG_LEVEL: 'silent',
      METRICS_TOKEN,
      ...more,
    });
    running.push(server);
    return server;
  };
  const ready = async ({ url }: RunningServer) => {
    const headers = { authorization: `Bearer ${METRICS_TOKEN}` };
    const answer = await fetch(`${url}/ready`, { headers });
    return (await answer.json()) as {
      dependencies: { feature_sync?: { up: boolean; state: string; reason?: string; needed: boolean } };
    };
  };
  const settled = (server: RunningServer, state: RegExp) =>
    vi.waitUntil(
      async () => {
        const { dependencies } = await ready(server);
        return state.test(dependencies.feature_sync?.state ?? '') ? dependencies.feature_sync : undefined;
      },
      { timeout: 600_000, interval: 100 },
    );

  it('carries a rename over once, however many replicas start', async () => {
    await ground.fill([tuple('user:ann viewer feature:a')]);
    const replicas = await Promise.all([1, 2].map(() => start({ x: 'a' }, { x: 'b' })));
    for (const replica of replicas) expect(await settled(replica, /^done$/)).toMatchObject({ up: true });
    expect(await ground.shown()).toEqual(['user:ann viewer feature:b']);
    expect((await tables.query('select 1 from sallyport_runs')).rows).toHaveLength(1);
  });

  it('refuses what would widen access, says so in /ready, and serves on', async () => {
    await ground.fill([tuple('user:ann viewer feature:a'), tuple('user:bob viewer feature:b')]);
    const server = await start({ x: 'a', y: 'b' }, { x: 'c', y: 'c' });
    expect(await settled(server, /^refused/)).toMatchObject({
      up: false,
      needed: false,
      reason: expect.stringContaining('feature:c (2 users)') as unknown,
    });
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    expect(await ground.shown()).toHaveLength(2);
  });

  it('shows a database that is away, and serves on', async () => {
    const server = await start(
      { x: 'a' },
      { x: 'b' },
      { DATABASE_URL: 'postgres://postgres@127.0.0.1:1/postgres' },
    );
    expect(await settled(server, /^waiting/)).toMatchObject({ up: false, needed: false });
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
  });

  it.each(['/nowhere/rules.json', '[{'])(
    'shows previous rules %j, which it cannot use, and serves on',
    async (prev) => {
      const server = await start({}, { x: 'a' }, { ACCESS_RULES_PREV: prev });
      expect(await settled(server, /^refused|^failed/)).toMatchObject({ up: false, needed: false });
      expect((await fetch(`${server.url}/health`)).status).toBe(200);
    },
  );

  it('refuses to begin without the previous rules', async () => {
    await expect(start({}, {}, { ACCESS_RULES_PREV: '' })).rejects.toThrow('ACCESS_RULES_PREV');
  });
});

import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { z } from 'zod';
import { withAdmin } from '../services/redis-time.ts';
import { startRedis } from '../services/redis.ts';
import { startUpstash } from '../services/upstash.ts';
import { httpClient } from '../support/gateway/http-client.ts';
import { LISTENING, nodeProgram } from '../support/gateway/node.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';
import { REQUESTS } from '../../shared/checks/requests.ts';
import { METRICS_TOKEN, openWorld, type World } from '../support/world.ts';

const Report = z.object({
  ready: z.boolean(),
  dependencies: z.record(
    z.string(),
    z.looseObject({ needed: z.boolean(), up: z.boolean(), state: z.string() }),
  ),
});
const SCRAPER = { authorization: `Bearer ${METRICS_TOKEN}` };

interface Seen {
  readonly status: number;
  readonly report: z.infer<typeof Report>;
}

/** A report is kept for a second: what comes after a change is a look of its own. */
function fresh(
  fetch: Stage['gateway']['fetch'],
  headers: Record<string, string>,
  as: (report: Seen['report']) => boolean,
): Promise<Seen> {
  return vi.waitUntil(
    async () => {
      const answer = await fetch('/ready', { headers });
      const report = Report.parse(await answer.json());
      return as(report) ? { status: answer.status, report } : undefined;
    },
    { timeout: 600_000, interval: 50 },
  );
}

const redis = await startRedis();
const upstash = redis && (await startUpstash(redis.url));
afterAll(async () => {
  await upstash?.close();
  await redis?.close();
});

const ask = (...command: string[]) => withAdmin(redis!.url, (admin) => admin.sendCommand(command));

/** Each answers PING, and counts nothing. */
const UNABLE = [
  [/READONLY/, ['REPLICAOF', '127.0.0.1', '1'], ['REPLICAOF', 'NO', 'ONE']],
  [/OOM/, ['CONFIG', 'SET', 'maxmemory', '1'], ['CONFIG', 'SET', 'maxmemory', '0']],
  [/NOPERM|can't run/, ['ACL', 'SETUSER', 'default', '-set'], ['ACL', 'SETUSER', 'default', '+set']],
] as const;

describe.skipIf(!redis)('a counter store that answers but cannot count (skipped: not installed)', () => {
  gatewaySuite(
    'RATE_LIMIT_FAILURE=closed',
    {
      variables: () => ({
        RATE_LIMIT_FAILURE: 'closed',
        REDIS_URL: redis!.url,
        UPSTASH_REDIS_REST_URL: upstash!.url,
        UPSTASH_REDIS_REST_TOKEN: upstash!.token,
      }),
    },
    (stage) => {
      it.each(UNABLE)(
        '%s: not ready, as no request passes; ready again after it',
        async (fault, begin, end) => {
          await fresh(stage.gateway.fetch, SCRAPER, ({ ready }) => ready);
          await ask(...begin);
          onTestFinished(async () => {
            await ask(...end);
          });
          // On a busy machine the first looks may end at their own bound, before the store has answered.
          const namesFault = ({ ready, dependencies }: Seen['report']) =>
            !ready && fault.test(String(dependencies['counters']?.['last_error']));
          const { status, report } = await fresh(stage.gateway.fetch, SCRAPER, namesFault);
          expect(status).toBe(503);
          expect(report.dependencies['counters']).toMatchObject({ needed: true, up: false, state: 'away' });
          expect(report.dependencies['counters']?.['last_error']).toMatch(fault);
          expect((await stage.gateway.fetch('/public/x')).status).toBe(503);
          await ask(...end);
          const after = await fresh(stage.gateway.fetch, SCRAPER, ({ ready }) => ready);
          expect(after.status).toBe(200);
        },
      );
    },
  );
});

gatewaySuite(
  '/ready while a provider is away',
  { before: ({ openfga }) => void (openfga.state = 'away') },
  (stage) => {
    it('tells anyone states in words of its own, and nothing else', async () => {
      const answer = await stage.gateway.fetch('/ready');
      const text = await answer.text();
      expect(text).not.toMatch(/error|127\.0\.0\.1|OpenFGA/);
      const { dependencies } = Report.parse(JSON.parse(text));
      for (const seen of Object.values(dependencies))
        expect(Object.keys(seen).sort()).toEqual(['needed', 'state', 'up']);
      expect(dependencies['authorization']).toEqual({ needed: true, up: false, state: 'away' });
    });

    it('names the check and the next step of what is down, to whoever holds METRICS_TOKEN', async () => {
      const answer = await stage.gateway.fetch('/ready', { headers: SCRAPER });
      const { dependencies } = Report.parse(await answer.json());
      expect(dependencies['authorization']).toMatchObject({
        doctor: 'sallyport doctor --only openfga',
        next: REQUESTS.openfga.next,
      });
      expect(dependencies['access_rules']).not.toHaveProperty('next');
    });

    it('tells details to whoever holds METRICS_TOKEN, and to no other token', async () => {
      const detailed = async (authorization: string) =>
        (await (await stage.gateway.fetch('/ready', { headers: { authorization } })).text()).includes(
          'last_error',
        );
      expect(await detailed(`bearer ${METRICS_TOKEN}`)).toBe(true);
      for (const wrong of ['Bearer guess', `Basic ${METRICS_TOKEN}`, METRICS_TOKEN, 'Bearer '])
        expect(await detailed(wrong)).toBe(false);
    });
  },
);

describe('what the rules in force need', () => {
  let world: World;
  let folder: string;
  beforeAll(async () => {
    world = await openWorld();
    folder = await mkdtemp(join(tmpdir(), 'sallyport-ready-'));
  });
  afterAll(async () => {
    await world.close();
    await rm(folder, { recursive: true });
  });

  it('decides /ready, also after a reload that brings the first relation', async () => {
    const file = join(folder, 'rules.json');
    const write = async (...rules: object[]): Promise<void> => {
      await writeFile(`${file}.next`, JSON.stringify(rules));
      await rename(`${file}.next`, file);
    };
    const open = { path: '/open', method: 'GET', feature: 'public_access' };
    const shadow = { path: '/s', method: 'GET', feature: 'admin_panel', mode: 'shadow' };
    await write(open, shadow);
    world.openfga.state = 'away';
    const program = await nodeProgram({ ...world.variables, ACCESS_RULES: file });
    const [, url = ''] = await program.printed(LISTENING);
    const client = httpClient(url);
    const before = Report.parse(await (await client.fetch('/ready')).json());
    expect(before).toMatchObject({
      ready: true,
      dependencies: { authorization: { needed: false, up: false } },
    });

    await write(open, { ...shadow, mode: 'enforce' });
    await program.printed(/"msg":"access rules changed"/);
    const { status, report } = await fresh(client.fetch, {}, ({ ready }) => !ready);
    expect(status).toBe(503);
    expect(report.dependencies['authorization']).toEqual({ needed: true, up: false, state: 'away' });

    await write(open);
    await program.printed(/"msg":"access rules changed"[\s\S]*"msg":"access rules changed"/);
    const last = await fresh(client.fetch, {}, ({ ready }) => ready);
    expect(last.report.dependencies['keys_zitadel']).toMatchObject({ needed: false });
    client.close();
    program.kill('SIGTERM');
    expect(await program.ended).toBe(0);
  });
});

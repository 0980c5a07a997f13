import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayVariables } from '../support/gateway/runtime.ts';
import { openRaw } from '../support/raw-socket.ts';
import { FULL, times } from '../support/scale.ts';
import { openWorld, type World } from '../support/world.ts';
import { startGroup, type Group } from './group.ts';

let world: World;
let folder: string;
let group: Group;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(async () => {
  await world.close();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-reload-'));
});
afterEach(async () => {
  expect(await group.stop()).toBe(0);
  await rm(folder, { recursive: true });
});

const open = (path: string) => JSON.stringify([{ path, method: 'GET', feature: 'public_access' }]);

/** What is not in the environment, and so can change while it runs. */
async function writeEnv(variables: GatewayVariables): Promise<void> {
  const lines = Object.entries({ ...world.variables, ...variables }).map(
    ([name, value]) => `${name}='${value}'\n`,
  );
  await writeFile(join(folder, '.env'), lines.join(''));
}

async function start(variables: GatewayVariables): Promise<void> {
  await writeEnv(variables);
  group = await startGroup({}, folder);
}

const reloaded = (times: number) =>
  expect.poll(() => group.said('configuration reloaded')).toHaveLength(times);

/** Asks without a pause, on connections that are kept and on new ones; gives every outcome but 200. */
function constantLoad(clients: number) {
  const failed: string[] = [];
  const agents = [new Agent({ keepAlive: true }), new Agent({ keepAlive: false })];
  let busy = true;
  let answered = 0;
  const ask = (agent: Agent | undefined): Promise<void> =>
    new Promise((resolve) => {
      const fail = (why: string): void => {
        failed.push(why);
        resolve();
      };
      get(`${group.url}/public/x`, agent === undefined ? {} : { agent }, (answer) => {
        if (answer.statusCode !== 200) fail(String(answer.statusCode));
        answer.on('error', ({ message }) => {
          fail(message);
        });
        answer.resume().on('end', () => {
          answered += 1;
          resolve();
        });
      }).on('error', ({ message }) => {
        fail(message);
      });
    });
  const running = Array.from({ length: clients }, async (_, n) => {
    while (busy) await ask(agents[n % 2]);
  });
  return {
    answered: () => answered,
    async end(): Promise<readonly string[]> {
      busy = false;
      await Promise.all(running);
      for (const agent of agents) agent.destroy();
      return failed;
    },
  };
}

describe('SIGHUP', () => {
  it('renews every process with variables and rules read again, and no request fails', async () => {
    await start({ WORKERS: '2', ACCESS_RULES: open('/public/*rest') });
    const load = constantLoad(times(8, 2));
    await expect.poll(load.answered).toBeGreaterThan(50);
    const before = await group.workers();
    const rules = JSON.parse(open('/public/*rest')) as object[];
    for (let round = 1; round <= times(3, 1); round++) {
      await writeEnv({
        WORKERS: '2',
        ACCESS_RULES: JSON.stringify([...rules, ...(JSON.parse(open(`/round/${round}`)) as object[])]),
      });
      group.program.kill('SIGHUP');
      await reloaded(round);
      for (let n = 0; n < 4; n++) expect((await group.client.fetch(`/round/${round}`)).status).toBe(200);
    }
    await expect.poll(async () => (await group.workers()).length).toBe(2);
    expect((await group.workers()).filter((pid) => before.includes(pid))).toEqual([]);
    const answered = load.answered();
    await expect.poll(load.answered).toBeGreaterThan(answered);
    expect(await load.end()).toEqual([]);
    expect(group.said('worker process died')).toEqual([]);
  });

  it.skipIf(!FULL)('never leaves fewer processes serving, and counts on', async () => {
    await start({ WORKERS: '3' });
    const line = /^sallyport_requests_total\{rule="\/public\/\*rest"/;
    for (let n = 0; n < 6; n++) await group.client.fetch('/public/x');
    let fewest = 3;
    const done = new AbortController();
    const look = (async () => {
      for (; !done.signal.aborted; fewest = Math.min(fewest, (await group.workers()).length));
    })();
    group.program.kill('SIGHUP');
    await reloaded(1);
    expect(await group.counted(line)).toBe(6);
    await expect.poll(async () => (await group.workers()).length).toBe(3);
    done.abort();
    await look;
    expect(fewest).toBe(3);
    expect(await group.counted(line)).toBe(6);
  });

  it('lets a request that is under way end where it began, and an idle connection ask once more', async () => {
    await start({ WORKERS: '2' });
    let finish = (): void => undefined;
    world.upstream.on('/public/long', (incoming, outgoing) => {
      incoming.resume();
      finish = () => outgoing.end('last');
      outgoing.write('first ');
    });
    const long = openRaw(group.url);
    long.send('GET /public/long HTTP/1.1\r\nHost: a\r\n\r\n');
    await long.until(/first /);
    const idle = openRaw(group.url);
    idle.send('GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n');
    await idle.until(/200 OK/);
    group.program.kill('SIGHUP');
    await reloaded(1);
    idle.send('GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await idle.closed).toMatch(/200 OK[^]*200 OK[^]*connection: close/i);
    finish();
    expect(await long.closed).toContain('last');
  });

  it.skipIf(!FULL)('takes up another number of processes', async () => {
    await start({ WORKERS: '2' });
    for (const [round, size] of [3, 1].entries()) {
      await writeEnv({ WORKERS: String(size) });
      group.program.kill('SIGHUP');
      await reloaded(round + 1);
      expect(group.said('configuration reloaded')[round]).toMatchObject({ workers: size });
      await expect.poll(async () => (await group.workers()).length).toBe(size);
    }
  });
});

describe('a new configuration that cannot be used', () => {
  it('changes nothing, and each of its faults is logged', async () => {
    await start({ WORKERS: '2' });
    const before = await group.workers();
    const refused = () =>
      group.said('configuration refused, the old one stays').map(({ fault }) => String(fault));

    await writeEnv({ WORKERS: 'many', DECISION_TTL: 'x', ACCESS_RULES: '[{' });
    group.program.kill('SIGHUP');
    await expect
      .poll(refused)
      .toEqual([
        expect.stringMatching(/^DECISION_TTL /),
        expect.stringMatching(/^WORKERS write auto, or a whole number of processes from 1 to 256/),
        expect.stringMatching(/^ACCESS_RULES 1:/),
      ]);

    // All variables are sound: the first process finds what is wrong with the rules.
    await writeEnv({ WORKERS: '2', ACCESS_RULES: '[' });
    group.program.kill('SIGHUP');
    await expect.poll(() => refused().slice(3)).toEqual([expect.stringMatching(/^ACCESS_RULES 1:/)]);

    await writeFile(join(folder, '.env'), 'UPSTREAM_URL: nowhere\nA=1\n');
    group.program.kill('SIGHUP');
    await expect
      .poll(() => refused().slice(4))
      .toEqual([expect.stringContaining('line 1 is not NAME=value')]);

    // The last line, without a line feed.
    await writeFile(join(folder, '.env'), 'WORKERS=1\nhush-hush');
    group.program.kill('SIGHUP');
    await expect
      .poll(() => refused().slice(5))
      .toEqual([expect.stringMatching(/^cannot read the variables in \.env: line 2 is not NAME=value$/)]);
    expect(group.program.output()).not.toContain('hush-hush');

    expect((await group.client.fetch('/public/x')).status).toBe(200);
    expect(await group.workers()).toEqual(before);

    await writeEnv({ WORKERS: '2' });
    group.program.kill('SIGHUP');
    await reloaded(1);
  });
});

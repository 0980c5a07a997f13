import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { httpClient } from '../support/gateway/http-client.ts';
import { LISTENING, nodeProgram } from '../support/gateway/node.ts';
import type { Program } from '../support/gateway/program.ts';
import type { GatewayVariables } from '../support/gateway/runtime.ts';
import { openRaw } from '../support/raw-socket.ts';
import { FULL } from '../support/scale.ts';
import { METRICS_TOKEN, openWorld, type World } from '../support/world.ts';

let world: World;
let folder: string;
beforeAll(async () => {
  world = await openWorld();
  folder = await mkdtemp(join(tmpdir(), 'sallyport-lifecycle-'));
});
afterAll(async () => {
  await world.close();
  await rm(folder, { recursive: true });
});

/** In full runs the files that `npm start` runs. */
async function started(variables: GatewayVariables = {}): Promise<{ program: Program; url: string }> {
  const program = await nodeProgram({ ...world.variables, ...variables }, { asShipped: FULL });
  const [, url = ''] = await program.printed(LISTENING);
  return { program, url };
}

const refusesConnections = (url: string): Promise<boolean> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', () => {
      resolve(true);
    });
  });

it('a port that is taken ends it with 1, whatever it has open by then', async () => {
  const { port } = new URL(world.upstream.url);
  const program = await nodeProgram({ ...world.variables, PORT: port, REDIS_URL: 'redis://127.0.0.1:1' });
  expect(await program.ended).toBe(1);
  expect(program.output()).toContain('EADDRINUSE');
});

/** An exchange that the upstream leaves open until the test ends it. */
function held(path: string): { readonly arrived: Promise<ServerResponse> } {
  return {
    arrived: new Promise((resolve) => {
      world.upstream.on(path, (incoming, outgoing) => {
        incoming.resume();
        resolve(outgoing);
      });
    }),
  };
}

describe('told to stop', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    '%s: it accepts no more, finishes what is under way, and ends with 0',
    async (signal) => {
      const { program, url } = await started();
      let finish = (): void => undefined;
      const arrived = new Promise<void>((resolve) => {
        world.upstream.on('/public/long', (incoming, outgoing) => {
          incoming.resume();
          outgoing.write('first ');
          finish = () => outgoing.end('last');
          resolve();
        });
      });
      const raw = openRaw(url);
      raw.send('GET /public/long HTTP/1.1\r\nHost: a\r\n\r\n');
      await arrived;
      await raw.until(/first /);
      program.kill(signal);
      await expect.poll(() => refusesConnections(url)).toBe(true);
      finish();
      expect(await raw.closed).toContain('last');
      expect(await program.ended).toBe(0);
      expect(program.output()).toContain('"msg":"stopped"');
    },
  );

  it('idle and unused connections do not hold it, and both ends of a WebSocket learn that it goes away', async () => {
    const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(sockets, 'listening');
    const { port } = sockets.address() as AddressInfo;
    const { program, url } = await started({ UPSTREAM_URL: `http://127.0.0.1:${port}` });
    const idle = httpClient(url);
    await idle.fetch('/health');
    const unused = openRaw(url);
    await once(unused.socket, 'connect');
    const connected = once(sockets, 'connection');
    const socket = new WebSocket(`${url.replace('http', 'ws')}/ws/echo`, {
      headers: { authorization: await world.bearer() },
    });
    const [peer] = (await connected) as [WebSocket];
    await once(socket, 'open');
    const closed = [once(socket, 'close'), once(peer, 'close')];
    program.kill('SIGTERM');
    expect(await program.ended).toBe(0);
    expect((await Promise.all(closed)).map(([code]) => code as number)).toEqual([1001, 1001]);
    await unused.closed;
    idle.close();
    sockets.close();
  });

  it('a client that never pauses does not hold it: every answer is the last of its connection', async () => {
    const { program, url } = await started();
    const { arrived } = held('/public/held');
    const raw = openRaw(url);
    raw.send('GET /public/held HTTP/1.1\r\nHost: a\r\n\r\n');
    const answer = await arrived;
    program.kill('SIGTERM');
    await expect.poll(() => refusesConnections(url)).toBe(true);
    answer.end('done');
    expect(await raw.closed).toMatch(/^HTTP\/1\.1 200 [^]*connection: close\r\n[^]*done/i);
    expect(await program.ended).toBe(0);
  });

  it('twice, as by npm and the terminal: the second signal cuts nothing', async () => {
    const { program, url } = await started();
    const { arrived } = held('/public/held');
    const raw = openRaw(url);
    raw.send('GET /public/held HTTP/1.1\r\nHost: a\r\n\r\n');
    const answer = await arrived;
    program.kill('SIGINT');
    program.kill('SIGTERM');
    await expect.poll(() => refusesConnections(url)).toBe(true);
    answer.end('done');
    expect(await raw.closed).toContain('done');
    expect(await program.ended).toBe(0);
    expect(program.output().match(/"msg":"stopped"/g)).toHaveLength(1);
  });
});

describe('a port in use', () => {
  it('ends it with 1, and says which', async () => {
    const { port } = new URL(world.upstream.url);
    const program = await nodeProgram({ ...world.variables, PORT: port });
    expect(await program.ended).toBe(1);
    expect(program.output()).toContain(port);
  });
});

describe('a rules file that changes while the gateway runs', () => {
  const rules = (path: string): string => JSON.stringify([{ path, method: 'GET', feature: 'public_access' }]);

  it('is taken up without a restart; a broken one is refused, and the old rules stay', async () => {
    const file = join(folder, 'rules.json');
    // By renaming, as an orchestrator swaps it: a half-written file is never seen.
    const write = async (text: string): Promise<void> => {
      await writeFile(`${file}.new`, text);
      await rename(`${file}.new`, file);
    };
    await write(rules('/old'));
    const { program, url } = await started({ ACCESS_RULES: file });
    const client = httpClient(url);
    const statusOf = async (target: string): Promise<number> => (await client.fetch(target)).status;
    expect([await statusOf('/old'), await statusOf('/new')]).toEqual([200, 403]);

    await write(rules('/new'));
    await program.printed(/"msg":"access rules changed"/);
    expect([await statusOf('/old'), await statusOf('/new')]).toEqual([403, 200]);

    await write('[{ "path": "broken');
    await program.printed(/access rules refused/);
    expect(await statusOf('/new')).toBe(200);
    const ready = await client.fetch('/ready', { headers: { authorization: `Bearer ${METRICS_TOKEN}` } });
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({
      dependencies: { access_rules: { up: true, refused: expect.stringMatching(/^1:/) as string } },
    });

    await write(rules('/newest'));
    await program.printed(/"msg":"access rules changed"[\s\S]*"msg":"access rules changed"/);
    expect(await statusOf('/newest')).toBe(200);
    client.close();
    program.kill('SIGTERM');
    expect(await program.ended).toBe(0);
  });
});

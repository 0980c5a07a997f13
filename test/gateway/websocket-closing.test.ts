import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import {
  connect,
  createServer as createTcpServer,
  type AddressInfo,
  type Server as TcpServer,
  type Socket,
} from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { upgradeUpstream, type UpgradeUpstream } from '../../shared/adapters/node/upgrade.ts';
import { webRandom } from '../../shared/runtime.ts';

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
/** RFC 6455 §5.5.1: FIN and opcode 8, two bytes of payload, 1001. */
const GOING_AWAY = Buffer.from([0x88, 0x02, 0x03, 0xe9]);
const LONG = 600_000;

interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
  readonly upgrades: UpgradeUpstream;
  /** Resolves when the exchange has ended. */
  readonly ended: Promise<void>;
  /** What came to the client behind the head of the answer. */
  readonly received: () => Buffer;
}

const servers: (Server | TcpServer)[] = [];
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function listening(server: Server | TcpServer): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const requestTo = (port: number) => ({
  target: 'upstream',
  base: `http://127.0.0.1:${port}`,
  host: undefined,
  method: 'GET',
  path: '/ws',
  headers: [],
  timeoutMs: LONG,
  maxBodyBytes: 0,
  contentLength: -1,
  hasBody: false,
  upgrade: true,
  sharer: '127.0.0.1',
});

/** A client and an upstream that keep their halves open whatever the other does, joined by the gateway's adapter. */
async function joined(
  times: { closingMs?: number; stalledMs?: number },
  upgrades = upgradeUpstream(webRandom(), { closingMs: LONG, stalledMs: LONG, ...times }),
): Promise<Pair> {
  const behind = createTcpServer({ allowHalfOpen: true });
  const port = await listening(behind);
  const front = createServer();
  const ended = new Promise<void>((resolve) => {
    front.on('upgrade', (message, socket, head) => {
      const events = {
        answered: () => undefined,
        ended: () => {
          resolve();
        },
      };
      socket.on('error', () => undefined);
      void upgrades.forward(requestTo(port), { set: [], ownsCors: false }, { message, socket, head }, events);
    });
  });
  const client = connect({ port: await listening(front), host: '127.0.0.1', allowHalfOpen: true });
  const arriving = once(behind, 'connection') as Promise<[Socket]>;
  client.write('GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  const [upstream] = await arriving;
  for (const socket of [client, upstream]) {
    sockets.add(socket);
    socket.on('error', () => undefined);
  }
  const all = collected(client);
  await once(upstream, 'data');
  upstream.write(SWITCH);
  await once(client, 'data');
  const received = (): Buffer => all().subarray(all().indexOf('\r\n\r\n') + 4);
  return { client, upstream, upgrades, ended, received };
}

function collected(socket: Socket): () => Buffer {
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  return () => Buffer.concat(pieces);
}

const closed = (socket: Socket): Promise<unknown> =>
  socket.closed ? Promise.resolve() : new Promise((resolve) => socket.once('close', resolve));

it.each([
  ['was decided on', true],
  ['knocked at the upstream', false],
])('a client that left while it %s leaves nothing open behind it', async (_when, before) => {
  const behind = createTcpServer();
  const port = await listening(behind);
  const front = createServer();
  const upgrades = upgradeUpstream(webRandom(), { closingMs: LONG, stalledMs: LONG });
  const endings: string[] = [];
  const client = connect(await listening(front), '127.0.0.1');
  sockets.add(client);
  client.on('error', () => undefined);
  const asked = once(front, 'upgrade') as Promise<[IncomingMessage, Socket, Buffer]>;
  client.write('GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  const [message, socket, head] = await asked;
  socket.on('error', () => undefined);
  const gone = closed(socket);
  const leave = async (): Promise<void> => {
    client.resetAndDestroy();
    await gone;
  };
  const left = new Promise<void>((resolve) => {
    behind.on('connection', (knocking) => {
      sockets.add(knocking);
      knocking
        .resume()
        .on('error', () => undefined)
        .on('close', () => {
          resolve();
        });
      void leave().then(() => knocking.write(SWITCH));
    });
  });
  if (before) await leave();
  const status = await upgrades.forward(
    requestTo(port),
    { set: [], ownsCors: false },
    { message, socket, head },
    { answered: () => undefined, ended: (how) => endings.push(how) },
  );
  expect([status, endings]).toEqual([{ status: 499 }, ['client_gone']]);
  if (!before) await left;
  await upgrades.leave();
});

it('an upstream that ignores the end of its client is cut off, and so is the client', async () => {
  const { client, upstream, ended } = await joined({ closingMs: 100 });
  client.resume();
  client.end();
  await once(upstream.resume(), 'end');
  await ended;
  await closed(client);
});

it('a client that ignores the end of its upstream is cut off, and so is the upstream', async () => {
  const { client, upstream, ended } = await joined({ closingMs: 100 });
  upstream.resume();
  upstream.end();
  await once(client.resume(), 'end');
  await ended;
});

it('what an upstream said before it ended arrives whole', async () => {
  const { client, upstream, received } = await joined({});
  const bytes = Buffer.alloc(8 * 1024 * 1024, 7);
  upstream.end(bytes);
  upstream.resume();
  await once(client, 'end');
  expect(received().equals(bytes)).toBe(true);
  client.end();
});

it.each(['client', 'upstream'] as const)('a %s that takes nothing is cut off', async (lazy) => {
  const pair = await joined({ stalledMs: 100, closingMs: 100 });
  const busy = lazy === 'client' ? pair.upstream : pair.client;
  pair[lazy].pause();
  const pump = (): void => {
    while (!busy.destroyed && busy.write(Buffer.alloc(65_536)));
  };
  busy.on('drain', pump);
  pump();
  await pair.ended;
  await closed(busy.resume());
});

it('good-bye waits for the end of a frame that is half through, and nothing follows it', async () => {
  const { client, upstream, upgrades, ended, received } = await joined({});
  const frame = Buffer.concat([Buffer.from([0x82, 126, 0x01, 0x2c]), Buffer.alloc(300, 1)]);
  upstream.write(frame.subarray(0, 3));
  await expect.poll(() => received().length).toBe(3);
  const left = upgrades.leave();
  const up = collected(upstream);
  await once(upstream, 'end');
  // Masked towards the upstream, as from any client (RFC 6455 §5.1).
  const [first, second, ...rest] = up();
  expect([first, second]).toEqual([0x88, 0x82]);
  const [a = 0, b = 0, , , c = 0, d = 0] = rest;
  expect(((a ^ c) << 8) | (b ^ d)).toBe(1001);
  expect(received().length).toBe(3);
  upstream.write(Buffer.concat([frame.subarray(3), Buffer.from([0x81, 1, 65])]));
  await once(client, 'end');
  expect(received()).toEqual(Buffer.concat([frame, GOING_AWAY]));
  client.end();
  upstream.end();
  await ended;
  await left;
});

it('a WebSocket that opens after good-bye has it at once', async () => {
  const upgrades = upgradeUpstream(webRandom(), { closingMs: 100, stalledMs: LONG });
  await upgrades.leave();
  const { client, upstream, ended, received } = await joined({}, upgrades);
  upstream.resume();
  if (!client.readableEnded) await once(client, 'end');
  await ended;
  expect(received()).toEqual(GOING_AWAY);
});

it('nobody who ignores good-bye is waited for', async () => {
  const { upgrades, client, upstream } = await joined({ closingMs: 100 });
  client.resume();
  upstream.resume();
  await upgrades.leave();
});

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Passage } from '../../shared/adapters/undici/passage.ts';
import { UndiciTarget } from '../../shared/adapters/undici/target.ts';
import { CLIENT_GONE, type Ending, type UpstreamRequest } from '../../shared/ports/upstream.ts';

const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

async function listening(server: Server): Promise<Server> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

describe('one exchange over undici', () => {
  let upstream: Server;
  let front: Server;
  let target: UndiciTarget;

  beforeAll(async () => {
    // It reads, and never answers.
    upstream = await listening(
      createServer((request) => {
        request.resume().once('end', () => upstream.emit('read whole'));
      }),
    );
    front = await listening(createServer());
    target = new UndiciTarget(new URL(urlOf(upstream)));
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  afterAll(() => {
    upstream.closeAllConnections();
    front.closeAllConnections();
    upstream.close();
    front.close();
  });

  /** A caller's request as the server has it. */
  async function arrived(bytes: string) {
    const client = connect((front.address() as AddressInfo).port, '127.0.0.1');
    client.on('error', () => undefined);
    client.write(bytes);
    const [request, response] = (await once(front, 'request')) as [IncomingMessage, ServerResponse];
    return { client, request, response };
  }

  const asked = (over: Partial<UpstreamRequest>): UpstreamRequest => ({
    target: 'upstream',
    base: urlOf(upstream),
    method: 'GET',
    path: '/',
    headers: [],
    host: undefined,
    timeoutMs: 300,
    maxBodyBytes: 1_000,
    contentLength: -1,
    hasBody: false,
    upgrade: false,
    sharer: '192.0.2.1',
    ...over,
  });

  function passage(
    request: UpstreamRequest,
    exchange: { request: IncomingMessage; response: ServerResponse },
  ) {
    const endings: Ending[] = [];
    const events = { answered: () => undefined, ended: (ending: Ending) => void endings.push(ending) };
    const answered = new Passage(request, { set: [], ownsCors: false }, exchange, events, target).through();
    return { answered, endings };
  }

  it.each([
    ['a request without a body', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', {}],
    [
      'a request with one',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello',
      { method: 'POST', hasBody: true, contentLength: 5, headers: ['content-length', '5'] },
    ],
  ])('timeout_ms holds to the millisecond: %s', async (_which, bytes, over) => {
    const exchange = await arrived(bytes);
    // Only these: sockets go on by themselves.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const readWhole = once(upstream, 'read whole');
    const { answered } = passage(asked(over), exchange);
    const outcome = vi.fn();
    const settled = answered.catch(outcome);
    await readWhole;
    await vi.advanceTimersByTimeAsync(299);
    expect(outcome).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    // Had undici's own timer to end it, the clock would have to go on.
    await settled;
    expect(outcome).toHaveBeenCalledWith(expect.objectContaining({ code: 'upstream_timeout' }));
    exchange.client.destroy();
  });

  it('a client that left before it met a full share waits for nothing, and is no time-out', async () => {
    const exchange = await arrived('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const gone = once(exchange.response, 'close');
    exchange.client.destroy();
    await gone;
    const sharer = '192.0.2.2';
    while (target.shares.enter(sharer, { begin: () => undefined }));
    const { answered, endings } = passage(asked({ sharer }), exchange);
    expect(await answered).toEqual({ status: CLIENT_GONE });
    expect(endings).toEqual(['client_gone']);
  });
});

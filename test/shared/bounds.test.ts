import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { UpstashCounters } from '../../shared/adapters/upstash/counters.ts';
import { openNeonDatabase } from '../../shared/adapters/postgres/neon.ts';
import { openPgDatabase } from '../../shared/adapters/postgres/pg.ts';
import { openFgaClient } from '../../shared/adapters/openfga/client.ts';
import { undiciExchange } from '../../shared/adapters/undici/exchange.ts';
import { openFgaRelations } from '../../shared/adapters/openfga/relations.ts';
import { openFgaTuples } from '../../shared/adapters/openfga/tuples.ts';
import { DatabaseUnavailable, sql } from '../../shared/ports/database.ts';
import { CountersUnavailable, RelationsUnavailable } from '../../shared/errors.ts';
import { exchangeBy } from '../../shared/runtime.ts';
import { fetchJson } from '../../shared/keys/fetch-json.ts';
import type { Exchange } from '../../shared/ports/runtime.ts';
import { postgresMissing, startPostgres } from '../services/postgres.ts';

/** Far above every bound: only a wait that has none gets there. */
const QUERY = { user: 'user:alice', relation: 'viewer', object: 'document:1' };
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function listen(handler: Handler) {
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    request.resume();
    handler(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests: () => requests };
}

/** A head at once, then one byte after the other, for ever. */
const drip: Handler = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const timer = setInterval(() => response.write(' '), 100);
  response.on('close', () => {
    clearInterval(timer);
  });
};

const EXCHANGES: readonly [by: string, exchange: Exchange][] = [
  ['undici, as on Node', undiciExchange],
  ['fetch, as on Workers', exchangeBy(fetch)],
];
const TOKEN = 'a-secret-token';
const JSON_HEADERS = { 'content-type': 'application/json' };

describe.each(EXCHANGES)('OpenFGA by %s', (_by, exchange) => {
  const clientOf = (url: string) =>
    openFgaClient({ url, storeId: '01ARZ3NDEKTSV4RRFFQ69G5FAV', modelId: null, apiToken: TOKEN }, exchange);
  const check = (url: string) => openFgaRelations(clientOf(url)).check(QUERY);

  it.each([
    [429, '20'],
    [503, '20'],
    [503, '1000'],
    [503, new Date(Date.now() + 600_000).toUTCString()],
  ])('that answers %i with Retry-After: %s is not waited for', async (status, retryAfter) => {
    const server = await listen((_request, response) => {
      response.writeHead(status, { 'retry-after': retryAfter, ...JSON_HEADERS }).end('{}');
    });
    await expect(check(server.url)).rejects.toThrow(RelationsUnavailable);
    expect(server.requests()).toBe(1);
  });

  it('that fails for a moment is asked once more', async () => {
    let first = true;
    const server = await listen((_request, response) => {
      response.writeHead(first ? 503 : 200, JSON_HEADERS).end('{"allowed":true}');
      first = false;
    });
    expect(await check(server.url)).toBe(true);
    expect(server.requests()).toBe(2);
  });

  it('that drips its answer is given up, and the connection with it', async () => {
    const server = await listen(drip);
    await expect(check(server.url)).rejects.toThrow('timeout');
    expect(server.requests()).toBe(1);
  });

  it('a write that is given up is ended, so that nothing is written after it', async () => {
    let gone: Promise<unknown> | undefined;
    const server = await listen((_request, response) => {
      gone = once(response, 'close');
    });
    const tuples = openFgaTuples(clientOf(server.url));
    await expect(tuples.write({ writes: [QUERY] })).rejects.toThrow('timeout');
    await gone;
    expect(server.requests()).toBe(1);
  });

  it('is not followed elsewhere, where the token would come along', async () => {
    const elsewhere = await listen((_request, response) => {
      response.writeHead(200, JSON_HEADERS).end('{"allowed":true}');
    });
    const server = await listen((_request, response) => {
      response.writeHead(307, { location: elsewhere.url }).end();
    });
    await expect(check(server.url)).rejects.toThrow('OpenFGA failed: FgaApiError 307');
    expect(elsewhere.requests()).toBe(0);
  });

  it('in whose place another server answers 200 has neither allowed nor written anything', async () => {
    const server = await listen((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<p>"allowed":true</p>');
    });
    await expect(check(server.url)).rejects.toThrow('not JSON');
    const write = openFgaTuples(clientOf(server.url)).write({ writes: [QUERY] });
    await expect(write).rejects.toThrow('not JSON');
  });

  it('is told apart from a defect: the fault is named, the token and the question are not', async () => {
    const { url } = await listen(() => undefined);
    await closing.pop()?.();
    const error: unknown = await Promise.resolve(check(url)).catch((reason: unknown) => reason);
    expect(String(error)).toBe('RelationsUnavailable: OpenFGA failed: FgaError ECONNREFUSED');
    expect(inspect(error, { depth: null })).not.toMatch(/a-secret-token|alice/);
  });

  it('is read whole when it closes the connection behind a long answer', async () => {
    const reason = 'x'.repeat(1_000_000);
    const server = await listen((_request, response) => {
      response.writeHead(200, { ...JSON_HEADERS, connection: 'close' });
      response.end(JSON.stringify({ allowed: true, resolution: reason }));
    });
    expect(await check(server.url)).toBe(true);
  });

  it('whose answer has no end is cut off at 16 MiB', async () => {
    const server = await listen((_request, response) => {
      response.writeHead(200, JSON_HEADERS);
      const piece = Buffer.alloc(1 << 20, ' ');
      const more = (): void => {
        while (!response.destroyed && response.write(piece)) continue;
      };
      response.on('drain', more);
      more();
    });
    await expect(check(server.url)).rejects.toThrow(RelationsUnavailable);
  });

  it('is asked again over a connection that is there', async () => {
    const sockets = new Set<unknown>();
    const server = await listen((request, response) => {
      sockets.add(request.socket);
      response.writeHead(200, JSON_HEADERS).end('{"allowed":true}');
    });
    for (let asked = 0; asked < 20; asked += 1) await check(server.url);
    // Two: a question may come before the connection of the last one is free.
    expect(sockets.size).toBeLessThanOrEqual(2);
  });
});

describe('other dependencies that drip their answers are given up', () => {
  it('an identity provider', async () => {
    const { url } = await listen(drip);
    await expect(fetchJson(fetch, url, { timeoutMs: 300 })).rejects.toThrow('no answer in time');
  });

  it('Upstash', async () => {
    const { url } = await listen(drip);
    const counters = new UpstashCounters({ url, token: 't', deadlineMs: 300 });
    await expect(counters.ping()).rejects.toThrow(CountersUnavailable);
  });

  it('Neon', async () => {
    const { url } = await listen(drip);
    const neon = openNeonDatabase({
      url: 'postgres://u:p@h.neon.tech/d',
      endpoint: url,
      exchange: exchangeBy(fetch),
      timeoutMs: 300,
    });
    await expect(neon.ping()).rejects.toThrow(DatabaseUnavailable);
  });
});

describe.skipIf(postgresMissing)('Postgres (needs the postgresql package)', () => {
  it.each([true, false])(
    'a transaction has one bound, however many statements (through a pooler: %s)',
    async (pooled) => {
      const service = (await startPostgres())!;
      closing.push(() => service.close());
      const database = openPgDatabase({ url: service.url, statementTimeoutMs: 600, pooled });
      const sleep = sql`select pg_sleep(0.5)`;
      await expect(database.transaction(Array.from({ length: 200 }, () => sleep))).rejects.toThrow(
        DatabaseUnavailable,
      );
      // Its own bound is short as well: on a loaded machine not the first one is in time.
      const isThere = (): Promise<boolean> =>
        database.ping().then(
          () => true,
          () => false,
        );
      await vi.waitUntil(isThere, { timeout: 600_000, interval: 20 });
      await database.close();
    },
  );
});

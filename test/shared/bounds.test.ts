import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { UpstashCounters } from '../../shared/adapters/upstash/counters.ts';
import { openNeonDatabase } from '../../shared/adapters/postgres/neon.ts';
import { openPgDatabase } from '../../shared/adapters/postgres/pg.ts';
import { openFgaClient } from '../../shared/adapters/openfga/client.ts';
import { openFgaRelations } from '../../shared/adapters/openfga/relations.ts';
import { openFgaTuples } from '../../shared/adapters/openfga/tuples.ts';
import { DatabaseUnavailable, sql } from '../../shared/ports/database.ts';
import { CountersUnavailable, RelationsUnavailable } from '../../shared/errors.ts';
import { fetchJson } from '../../shared/keys/fetch-json.ts';
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

const clientOf = (url: string) =>
  openFgaClient({ url, storeId: '01ARZ3NDEKTSV4RRFFQ69G5FAV', modelId: null, apiToken: null });

describe('OpenFGA', () => {
  it.each([
    [429, '20'],
    [503, '20'],
    [503, '1000'],
    [503, new Date(Date.now() + 600_000).toUTCString()],
  ])('that answers %i with Retry-After: %s is not waited for', async (status, retryAfter) => {
    const server = await listen((_request, response) => {
      response.writeHead(status, { 'retry-after': retryAfter, 'content-type': 'application/json' }).end('{}');
    });
    const relations = openFgaRelations(clientOf(server.url));
    await expect(relations.check(QUERY)).rejects.toThrow(RelationsUnavailable);
    expect(server.requests()).toBe(1);
  });

  it('that fails for a moment is asked once more', async () => {
    let first = true;
    const server = await listen((_request, response) => {
      response.writeHead(first ? 503 : 200, { 'content-type': 'application/json' }).end('{"allowed":true}');
      first = false;
    });
    expect(await openFgaRelations(clientOf(server.url)).check(QUERY)).toBe(true);
    expect(server.requests()).toBe(2);
  });

  it('that drips its answer is given up, and the connection with it', async () => {
    const server = await listen(drip);
    await expect(openFgaRelations(clientOf(server.url)).check(QUERY)).rejects.toThrow('timeout');
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
      fetch,
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
      await database.ping();
      await database.close();
    },
  );
});

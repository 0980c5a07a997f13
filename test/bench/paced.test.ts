import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { installed } from '../../bench/children.ts';
import { pacedLoad, type Latency } from '../../bench/load/generators.ts';
import { compilePaced } from '../../bench/programs.ts';
import { listen, stop } from '../../dev/listen.ts';

const RATE = 2_000;
/** Nothing but a fault takes so long. */
const WATCHDOG_SECONDS = 120;

describe.skipIf(!installed('cc'))(
  'the generator of constant load (needs a C compiler)',
  { timeout: WATCHDOG_SECONDS * 2_000 },
  () => {
    let folder: string;
    let program: string;
    let server: Server | undefined;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'sallyport-paced-'));
      program = (await compilePaced(join(folder, 'paced'))) ?? '';
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));
    afterEach(async () => {
      if (server !== undefined) await stop(server);
    });

    const load = async (
      listener: (request: IncomingMessage, response: ServerResponse) => void,
      drain = WATCHDOG_SECONDS,
    ): Promise<Latency> => {
      const requestsFile = join(folder, 'requests.txt');
      await writeFile(requestsFile, '/a one\n/b two\n');
      server = createServer(listener);
      const port = await listen(server);
      return pacedLoad({ port, rate: RATE, warmUp: 0, seconds: 1, drain, requestsFile, program });
    };

    it('sends every request that is due, path and token in turn, and waits for all answers', async () => {
      const seen: string[] = [];
      const latency = await load((request, response) => {
        seen.push(`${request.url ?? ''} ${request.headers.authorization ?? ''}`);
        response.end('ok');
      });
      expect(latency).toMatchObject({ requests: RATE, failed: 0, unanswered: 0 });
      expect(seen.filter((it) => it === '/a Bearer one')).toHaveLength(RATE / 2);
      expect(seen.filter((it) => it === '/b Bearer two')).toHaveLength(RATE / 2);
    });

    it('opens connections anew that the server closed while they were idle', async () => {
      const latency = await load((request, response) => {
        response.end('ok', () => setImmediate(() => request.socket.destroy()));
      });
      expect(latency).toMatchObject({ requests: RATE, failed: 0, unanswered: 0 });
    });

    it('reads an answer in chunks to its last one', async () => {
      const latency = await load((_request, response) => {
        response.write('some');
        setImmediate(() => response.end('more'));
      });
      expect(latency).toMatchObject({ requests: RATE, failed: 0, unanswered: 0 });
    });

    it('counts against a server that stalls all requests that were due meanwhile, not only those it held', async () => {
      const stallMs = 2_000;
      let stalled = false;
      const latency = await load((_request, response) => {
        const until = performance.now() + (stalled ? 0 : stallMs);
        stalled = true;
        while (performance.now() < until);
        response.end('ok');
      });
      // All were due in its first half, far more than there are connections to send them on.
      expect(latency.maxMs).toBeGreaterThanOrEqual(stallMs);
      expect(latency.p50Ms).toBeGreaterThanOrEqual(stallMs / 2);
    });

    it('counts what is never answered with its age', async () => {
      const latency = await load((request, response) => {
        if (request.url === '/a') response.end('ok');
      }, 1);
      expect(latency.requests).toBe(RATE);
      expect(latency.unanswered).toBeGreaterThanOrEqual(RATE / 2);
      expect(latency.p50Ms).toBeGreaterThanOrEqual(1_000);
    });

    it('refuses to measure refusals', async () => {
      const refusing = load((_request, response) => {
        response.writeHead(503).end();
      });
      await expect(refusing).rejects.toThrow(`${RATE} requests failed at a constant rate`);
    });
  },
);

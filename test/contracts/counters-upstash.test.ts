import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { UpstashCounters } from '../../shared/adapters/upstash/counters.ts';
import { CountersUnavailable } from '../../shared/errors.ts';
import { withAdmin } from '../services/redis-time.ts';
import { startRedis } from '../services/redis.ts';
import { startUpstash } from '../services/upstash.ts';
import { serve, type Served } from '../support/serve.ts';

const redis = await startRedis();
const upstash = redis && (await startUpstash(redis.url));
const policy = { name: 'default', limit: 20, windowMs: 86_400_000 };
const request = { caller: 'zitadel|alice', policy };
const endpoints: Served[] = [];

afterEach(async () => {
  await Promise.all(endpoints.splice(0).map((endpoint) => endpoint.close()));
});
afterAll(async () => {
  await upstash?.close();
  await redis?.close();
});

async function endpoint(handle: (request: Request) => Promise<Response>): Promise<string> {
  const served = await serve(0, handle);
  endpoints.push(served);
  return served.url;
}

async function faultOf(url: string, deadlineMs = 300_000): Promise<Error> {
  const counters = new UpstashCounters({ url, token: 'open-sesame', deadlineMs });
  return counters.take(request).then(
    () => Promise.reject(new Error('was answered')),
    (error: unknown) => error as Error,
  );
}

describe.skipIf(!upstash)('a stand-in of Upstash REST before redis-server (skipped: not installed)', () => {
  it('is called once per take, and twice when it does not know the script', async () => {
    const counters = new UpstashCounters({ ...upstash!, deadlineMs: 300_000 });
    await withAdmin(redis!.url, (admin) => admin.sendCommand(['SCRIPT', 'FLUSH']));
    const before = upstash!.calls();
    expect((await counters.take(request)).remaining).toBe(19);
    expect(upstash!.calls() - before).toBe(2);
    expect((await counters.take(request)).remaining).toBe(18);
    expect(upstash!.calls() - before).toBe(3);
  });

  it('that refuses the token makes counters unavailable, and the fault does not quote it', async () => {
    const fault = await faultOf(upstash!.url);
    expect(fault).toBeInstanceOf(CountersUnavailable);
    expect(fault.message).toMatch(/WRONGPASS/);
    expect(`${fault.stack} ${String((fault.cause as Error).stack)}`).not.toContain('open-sesame');
  });
});

describe('an endpoint that is not well', () => {
  it('that does not answer is given up at the deadline and not asked again: a take may have counted', async () => {
    let calls = 0;
    const url = await endpoint(() => {
      calls++;
      return new Promise(() => undefined);
    });
    expect(await faultOf(url, 50)).toBeInstanceOf(CountersUnavailable);
    expect(calls).toBe(1);
  });

  it('that drops the connection is not asked again either', async () => {
    let calls = 0;
    const url = await endpoint(() => {
      calls++;
      return Promise.reject(new Error('dropped'));
    });
    expect(await faultOf(url)).toBeInstanceOf(CountersUnavailable);
    expect(calls).toBe(1);
  });

  it.each([
    ['an error page', 502, '<html>Bad gateway</html>'],
    ['an error', 400, '{"error":"ERR max daily request limit exceeded"}'],
    ['no result', 200, '{}'],
    ['null', 200, '{"result":null}'],
    ['a text', 200, '{"result":"T0s="}'],
    ['too few numbers', 200, '{"result":[1,2]}'],
    ['texts for numbers', 200, '{"result":["1","2","3","4","0"]}'],
    ['negative numbers', 200, '{"result":[1,-1,0,0,0]}'],
  ])('that answers %s makes counters unavailable, never an admission', async (_, status, body) => {
    const url = await endpoint(async () => new Response(body, { status }));
    expect(await faultOf(url)).toBeInstanceOf(CountersUnavailable);
  });

  it('that is not there makes counters unavailable', async () => {
    const gone = await serve(0, async () => new Response());
    await gone.close();
    expect(await faultOf(gone.url)).toBeInstanceOf(CountersUnavailable);
  });
});

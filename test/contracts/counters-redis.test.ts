import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RedisCounters } from '../../shared/adapters/redis/counters.ts';
import { CountersUnavailable } from '../../shared/errors.ts';
import { sessionOf } from '../../shared/identity/subjects.ts';
import { advanceRedis, withAdmin } from '../services/redis-time.ts';
import { startRedis, startRedisCluster } from '../services/redis.ts';
import { manualClock } from '../support/clock.ts';

// Long because one server serves all that only a real Redis shows.

const redis = await startRedis();
const policy = { name: 'default', limit: 20, windowMs: 86_400_000 };
const request = { caller: 'zitadel|alice', policy };
const opened: RedisCounters[] = [];
/** Out of the way, except where a test is about deadlines. */
const PATIENT_MS = 300_000;
const WATCHDOG = { timeout: PATIENT_MS, interval: 20 };

afterEach(() => {
  for (const counters of opened.splice(0)) counters.close();
});
afterAll(() => redis?.close());

function open(options: Partial<ConstructorParameters<typeof RedisCounters>[0]> = {}): RedisCounters {
  const counters = new RedisCounters({
    url: redis!.url,
    clock: { now: () => Date.now() },
    deadlineMs: PATIENT_MS,
    ...options,
  });
  opened.push(counters);
  return counters;
}

async function connected(options: Parameters<typeof open>[0] = {}): Promise<RedisCounters> {
  const counters = open(options);
  await counters.ready(PATIENT_MS);
  return counters;
}

async function ask(...command: string[]): Promise<string> {
  const reply = await withAdmin(redis!.url, (admin) => admin.sendCommand(command));
  return typeof reply === 'object' ? JSON.stringify(reply) : String(reply);
}

async function commandCalls(): Promise<Map<string, number>> {
  const lines = (await ask('INFO', 'commandstats')).matchAll(/cmdstat_(\S+?):calls=(\d+)/g);
  return new Map(Array.from(lines, ([, name = '', calls]) => [name, Number(calls)]));
}

async function connectionIds(): Promise<string[]> {
  const list = await ask('CLIENT', 'LIST', 'TYPE', 'normal');
  const others = list
    .split('\n')
    .filter((line) => line.includes(' cmd=evalsha') || line.includes(' cmd=eval'));
  return others.map((line) => /^id=(\d+)/.exec(line)![1]!);
}

/** Undefined while there are others, or none. */
async function theOneConnection(): Promise<[string] | undefined> {
  const [only, other] = await connectionIds();
  return only === undefined || other !== undefined ? undefined : [only];
}

function fateOf(call: Promise<unknown>): Promise<'answered' | 'refused'> {
  return call.then(
    () => 'answered',
    () => 'refused',
  );
}

describe.skipIf(!redis)('counters in redis-server (skipped: not installed)', () => {
  beforeEach(async () => {
    await ask('FLUSHALL');
  });

  it('send one command per take, which also reads the revocation', async () => {
    const counters = await connected();
    await counters.take(request);
    await ask('CONFIG', 'RESETSTAT');
    for (let n = 0; n < 10; n++) await counters.take(request);
    const calls = await commandCalls();
    calls.delete('config|resetstat');
    expect(Object.fromEntries(calls)).toEqual({ evalsha: 10, time: 10, mget: 10, get: 10, set: 10 });
  });

  it('send one command for all takes of one turn, up to 128, once there are several in a turn', async () => {
    const counters = await connected();
    const crowd = (count: number) =>
      Promise.all(
        Array.from({ length: count }, (_, n) => counters.take({ ...request, caller: `zitadel|${n % 30}` })),
      );
    await crowd(2);
    for (const [takes, calls] of [
      [100, 1],
      [300, 3],
    ] as const) {
      await ask('CONFIG', 'RESETSTAT');
      await crowd(takes);
      expect(Object.fromEntries(await commandCalls())).toMatchObject({
        ...{ evalsha: calls, time: calls, get: calls, mget: calls },
      });
    }
  });

  it('read what one window holds as far as it can be read, and fail no other over it', async () => {
    const counters = await connected();
    await counters.take(request);
    const [key] = await withAdmin(redis!.url, (admin) => admin.keys('*:window:default'));
    const others = Array.from({ length: 5 }, (_, n) => ({ ...request, caller: `zitadel|${n}` }));
    for (const spoiled of ['garbage', '', '12 x:y', ' ']) {
      await ask('SET', key!, spoiled);
      const taken = await Promise.all([...others, request].map((each) => counters.take(each)));
      expect(taken.at(-1)).toMatchObject({ allowed: true, remaining: 19 });
    }
    await ask('DEL', key!);
    await ask('HSET', key!, 'a', 'b');
    expect(await Promise.all([request, ...others].map((each) => counters.take(each)))).toHaveLength(6);
  });

  it('survive a store that forgets its scripts, in the middle of a crowd, exactly', async () => {
    const clients = await Promise.all(Array.from({ length: 8 }, () => connected()));
    const crowd = Array.from({ length: 200 }, async (_, n) => {
      if (n % 50 === 0) await ask('SCRIPT', 'FLUSH');
      return clients[n % 8]!.take(request);
    });
    const taken = await Promise.all(crowd);
    expect(taken.filter(({ allowed }) => allowed)).toHaveLength(policy.limit);
  });

  it('leave nothing behind: every key expires, none names a caller, those of one caller share a hash tag', async () => {
    const counters = await connected();
    await counters.take(request);
    await counters.mark(request.caller, { version: 1, notBefore: 1_000 }, 60);
    await counters.mark(request.caller, { version: 2, notBefore: Infinity }, 60);
    const keys = (await withAdmin(redis!.url, (admin) => admin.keys('*'))).sort();
    expect(keys).toEqual([
      expect.stringMatching(/^sallyport:\{[\w-]{43}\}:restored$/),
      expect.stringMatching(/^sallyport:\{[\w-]{43}\}:revoked$/),
      expect.stringMatching(/^sallyport:\{[\w-]{43}\}:window:default$/),
    ]);
    expect(new Set(keys.map((key) => /\{.*\}/.exec(key)![0])).size).toBe(1);
    const [, mark, rate] = await Promise.all(keys.map(async (key) => Number(await ask('PTTL', key))));
    expect(rate).toBeGreaterThan(policy.windowMs - 60_000);
    expect(rate).toBeLessThanOrEqual(policy.windowMs + 1);
    expect(mark).toBeGreaterThan(0);
    expect(mark).toBeLessThanOrEqual(60_000);
  });

  it('lock nobody out for longer than a window when the clock of the store is set back', async () => {
    const counters = await connected();
    const short = { name: 'short', limit: 2, windowMs: 600_000 };
    await counters.take({ caller: 'zitadel|alice', policy: short });
    await counters.take({ caller: 'zitadel|alice', policy: short });
    await advanceRedis(redis!.url, -3_600_000);
    const refused = await counters.take({ caller: 'zitadel|alice', policy: short });
    expect(refused).toMatchObject({ allowed: false, resetMs: 600_000 });
    await advanceRedis(redis!.url, 601_000);
    expect((await counters.take({ caller: 'zitadel|alice', policy: short })).allowed).toBe(true);
  });

  it('take for a withdrawal what an older version marked, until that takes it back', async () => {
    const counters = await connected();
    await counters.mark(request.caller, { version: 5, notBefore: 1_000 }, 60);
    const [key] = await withAdmin(redis!.url, (admin) => admin.keys('*:restored'));
    const theirs = key!.replace('restored', 'revoked');
    await ask('SET', theirs, '1', 'EX', '60');
    expect((await counters.take(request)).mark?.notBefore).toBe(Infinity);
    await ask('DEL', theirs);
    expect((await counters.take(request)).mark).toEqual({ version: 5, notBefore: 1_000 });
  });

  it('stand for an older version where it looks: there while withdrawn, gone when back', async () => {
    const counters = await connected();
    const theirs = () => withAdmin(redis!.url, (admin) => admin.keys('*:revoked'));
    await counters.mark(request.caller, { version: 5, notBefore: Infinity }, 60);
    expect(await theirs()).toHaveLength(1);
    await counters.mark(request.caller, { version: 6, notBefore: 1_000 }, 60);
    expect(await theirs()).toEqual([]);
  });

  it('know a store by its name, which one that was emptied lacks', async () => {
    const counters = await connected();
    expect((await counters.take(request)).store).toBe('');
    await counters.name('complete:one');
    expect((await counters.take(request)).store).toBe('complete:one');
    expect(await counters.look()).toBe('complete:one');
    await ask('FLUSHALL');
    expect((await counters.take(request)).store).toBe('');
    expect(await counters.look()).toBe('');
  });

  it('a busy caller takes less than a kilobyte, however many requests the limit is', async () => {
    const counters = await connected();
    const wide = { name: 'wide', limit: 1_000_000, windowMs: 60_000 };
    for (let n = 0; n < 100; n++) {
      for (let each = 0; each < 10; each++) await counters.take({ caller: 'zitadel|busy', policy: wide });
      await advanceRedis(redis!.url, 700);
    }
    const [key] = await withAdmin(redis!.url, (admin) => admin.keys('*:window:wide'));
    expect(Number(await ask('STRLEN', key!))).toBeLessThan(700);
  });

  it('are unavailable when the store may not write', async () => {
    const counters = await connected();
    await ask('REPLICAOF', '127.0.0.1', '1');
    await expect(counters.take(request)).rejects.toThrow(/READONLY/);
    await expect(counters.take(request)).rejects.toThrow(CountersUnavailable);
    await ask('REPLICAOF', 'NO', 'ONE');
    expect((await counters.take(request)).remaining).toBe(19);
  });
});

describe.skipIf(!redis)('when redis-server goes away (skipped: not installed)', () => {
  it('a take under way is unavailable at once, the next ones too, and all is well after a restart', async () => {
    // A deadline longer than the test: what rejects here is the loss of the connection.
    const counters = await connected({ deadlineMs: 600_000 });
    await counters.take(request);
    redis!.freeze();
    const underWay = counters.take(request);
    await Promise.all([expect(underWay).rejects.toThrow(CountersUnavailable), redis!.kill()]);
    await expect(counters.take(request)).rejects.toThrow(/not connected/);
    await expect(counters.ping()).rejects.toThrow(CountersUnavailable);
    await redis!.start();
    await counters.ready(PATIENT_MS);
    expect((await counters.take(request)).remaining).toBe(19);
  });

  it('a store that holds the connection but does not answer is unavailable at the deadline', async () => {
    const counters = await connected({ deadlineMs: 50 });
    redis!.freeze();
    await expect(counters.take(request)).rejects.toThrow(/no answer within 50 ms/);
    redis!.resume();
    // Within the deadline once the machine has time for it.
    await vi.waitUntil(async () => (await fateOf(counters.ping())) === 'answered', WATCHDOG);
  });

  it('a stall of this process is not taken for a silent store: the answer that waits is read', async () => {
    const counters = await connected({ deadlineMs: 100 });
    const taking = counters.take(request);
    // The client writes in the next turn of the loop; then this process does nothing for longer than the deadline.
    await new Promise(setImmediate);
    for (const end = performance.now() + 400; performance.now() < end;);
    await expect(taking).resolves.toMatchObject({ allowed: true });
  });

  it('a connection that is silent for too long is replaced by a new one', async () => {
    const clock = manualClock();
    const counters = await connected({ deadlineMs: 50, clock });
    // Sent is enough: on a loaded machine the answer may miss the deadline.
    await fateOf(counters.take(request));
    const [before] = await vi.waitUntil(theOneConnection, WATCHDOG);
    redis!.freeze();
    await expect(counters.take(request)).rejects.toThrow(/no answer/);
    clock.advance(2);
    await expect(counters.take(request)).rejects.toThrow(/no answer/);
    redis!.resume();
    await counters.ready(PATIENT_MS);
    await fateOf(counters.take(request));
    expect(await vi.waitUntil(theOneConnection, WATCHDOG)).not.toEqual([before]);
  });

  it('a store that was never there costs no process: takes are unavailable until it comes', async () => {
    await redis!.kill();
    const faults: string[] = [];
    const counters = open({ onFault: (error) => faults.push(error.message) });
    await expect(counters.take(request)).rejects.toThrow(CountersUnavailable);
    await expect(counters.ready()).rejects.toThrow(CountersUnavailable);
    expect(faults[0]).toMatch(/ECONNREFUSED/);
    await redis!.start();
    await counters.ready(PATIENT_MS);
    expect((await counters.take(request)).allowed).toBe(true);
  });

  it('a refused password is unavailable, and no fault quotes it', async () => {
    const faults: string[] = [];
    const url = redis!.url.replace('redis://', 'redis://user:open-sesame@');
    const counters = open({ url, onFault: (error) => faults.push(`${error.message} ${error.stack}`) });
    await expect(counters.ready()).rejects.toThrow(CountersUnavailable);
    await expect(counters.take(request)).rejects.toThrow(CountersUnavailable);
    expect(faults.length).toBeGreaterThan(0);
    expect(faults.join('\n')).not.toContain('open-sesame');
  });
});

describe.skipIf(!redis)('a cluster (skipped: redis-server is not installed)', () => {
  it('gets a call for each caller, counts exactly, and reads marks of sessions', async () => {
    const cluster = (await startRedisCluster())!;
    const admin = async (...command: string[]) =>
      JSON.stringify(await withAdmin(cluster.url, (one) => one.sendCommand(command)));
    await admin('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    await vi.waitUntil(async () => (await admin('CLUSTER', 'INFO')).includes('cluster_state:ok'), {
      timeout: 600_000,
    });
    const counters = await connected({ url: cluster.url });
    for (let round = 0; round < 3; round++) {
      await admin('CONFIG', 'RESETSTAT');
      const asked = Array.from({ length: 300 }, (_, n) => ({
        ...request,
        caller: `zitadel|${n % 3} ${round}`,
      }));
      const taken = await Promise.all(asked.map((each) => counters.take(each)));
      expect(taken.filter(({ allowed }) => allowed)).toHaveLength(3 * policy.limit);
    }
    const calls = await admin('INFO', 'commandstats');
    expect(/cmdstat_evalsha:calls=(\d+)/.exec(calls)?.[1]).toBe('3');
    const session = sessionOf(request.caller, 'one');
    expect((await counters.take({ ...request, session })).sessionMark).toBeUndefined();
    await counters.mark(session, { version: 1, notBefore: Infinity }, 60);
    expect((await counters.take({ ...request, session })).sessionMark?.notBefore).toBe(Infinity);
    await cluster.close();
  });
});

it('a handshake that gets no reply is given up for a new one', async () => {
  const sockets: Socket[] = [];
  const mute = createServer((socket) => sockets.push(socket.on('error', () => undefined))).listen(
    0,
    '127.0.0.1',
  );
  await once(mute, 'listening');
  const clock = manualClock();
  const first = once(mute, 'connection');
  // A database number makes the handshake wait for a reply.
  const counters = open({ url: `redis://127.0.0.1:${(mute.address() as AddressInfo).port}/1`, clock });
  await first;
  await expect(counters.take(request)).rejects.toThrow(/not connected/);
  clock.advance(2);
  const second = once(mute, 'connection');
  await expect(counters.take(request)).rejects.toThrow(/not connected/);
  await second;
  expect(sockets).toHaveLength(2);
  counters.close();
  for (const socket of sockets) socket.destroy();
  mute.close();
});

it('a bad REDIS_URL is named without being quoted', () => {
  expect(() => open({ url: 'redis//:open-sesame@host' })).toThrow(/^REDIS_URL is not a URL$/);
});

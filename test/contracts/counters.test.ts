import { afterAll, describe } from 'vitest';
import { MemoryCounters } from '../../shared/adapters/counters/memory.ts';
import { RedisCounters } from '../../shared/adapters/redis/counters.ts';
import { UpstashCounters } from '../../shared/adapters/upstash/counters.ts';
import { advanceRedis, withAdmin } from '../services/redis-time.ts';
import { startRedis } from '../services/redis.ts';
import { startUpstash } from '../services/upstash.ts';
import { manualClock } from '../support/clock.ts';
import { countersContract, type CountersStore } from './counters.contract.ts';

const redis = await startRedis();
const upstash = redis && (await startUpstash(redis.url));
const opened: RedisCounters[] = [];
/** Out of the way: how fast a busy machine answers is not what is promised here. */
const deadlineMs = 300_000;

afterAll(async () => {
  for (const counters of opened) counters.close();
  await upstash?.close();
  await redis?.close();
});

const onRedis = (clients: CountersStore['clients']): CountersStore => ({
  clients,
  advance: (ms) => advanceRedis(redis!.url, ms),
  reset: async () => {
    await withAdmin(redis!.url, (admin) => admin.flushAll());
  },
});

describe('memory', () => {
  let clock = manualClock();
  let counters = new MemoryCounters({ clock });
  const store: CountersStore = {
    clients: async () => [counters],
    advance: async (ms) => {
      clock.advance(ms / 1_000);
    },
    reset: async () => {
      clock = manualClock();
      counters = new MemoryCounters({ clock });
    },
  };
  countersContract(() => store);
});

describe.skipIf(!redis)('redis-server (skipped: not installed)', () => {
  const clock = { now: () => Date.now() };
  const store = onRedis(async (count) => {
    while (opened.length < count) opened.push(new RedisCounters({ url: redis!.url, clock, deadlineMs }));
    await Promise.all(opened.map((counters) => counters.ready(deadlineMs)));
    return opened.slice(0, count);
  });
  countersContract(() => store);
});

describe.skipIf(!upstash)('Upstash REST, by a stand-in before redis-server (skipped: not installed)', () => {
  const store = onRedis(async (count) =>
    Array.from(
      { length: count },
      () => new UpstashCounters({ url: upstash!.url, token: upstash!.token, deadlineMs }),
    ),
  );
  countersContract(() => store);
});

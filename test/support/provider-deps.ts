import type { Fetch } from '../../shared/ports/runtime.ts';
import type { Log } from '../../shared/ports/log.ts';
import type { ProviderDeps } from '../../shared/keys/discovery.ts';
import { shareInFlight, type Collapse } from '../../shared/caches/in-flight.ts';
import { manualClock, type ManualClock } from './clock.ts';

export interface TestDeps extends ProviderDeps {
  readonly clock: ManualClock;
  /** Every line that was logged, as JSON. */
  readonly logged: string[];
  /** Resolves when all background work has ended. */
  settled(): Promise<void>;
}

/** What talking to an identity provider needs, owned by the test. */
export function providerDeps(
  fetch: Fetch,
  collapse: Collapse = shareInFlight,
  clock = manualClock(),
): TestDeps {
  const background: Promise<unknown>[] = [];
  const logged: string[] = [];
  const write: Log['info'] = (message, fields) => logged.push(JSON.stringify({ message, ...fields }));
  return {
    fetch,
    clock,
    collapse,
    log: { debug: write, info: write, warn: write, error: write },
    logged,
    background: (work) => background.push(work),
    timeoutMs: 50,
    sleep: (ms) => passTime(clock, ms),
    settled: async () => {
      await Promise.all(background.splice(0));
    },
  };
}

/** Lets what is under way go on, then makes it `ms` later, unless another sleeper has. */
async function passTime(clock: ManualClock, ms: number): Promise<void> {
  const until = clock.now() + ms;
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(Math.max(0, until - clock.now()) / 1000);
}

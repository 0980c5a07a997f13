import {
  isRetryable,
  type Creation,
  type Directory,
  type Failure,
  type NewPerson,
} from '../ports/directory.ts';
import type { Clock } from '../ports/runtime.ts';
import type { Lease } from '../runs/lease.ts';

/** The provider cannot be worked with now: the run stops, and goes on when it is resumed. */
export class ProviderStopped extends Error {
  override readonly name = 'ProviderStopped';
  readonly failure: Failure;

  constructor(provider: string, failure: Failure) {
    const remedy = failure.outcome === 'denied' ? `: ${failure.remedy}` : '';
    super(`${provider} ${WORDS[failure.outcome]} (${failure.reason})${remedy}`);
    this.failure = failure;
  }
}

const WORDS: Readonly<Record<Failure['outcome'], string>> = {
  away: 'is away',
  slow: 'does not answer in time',
  busy: 'takes no more requests for now',
  denied: 'does not allow it',
  failed: 'answered with an error',
};

/** The methods of a directory that change something or are many. */
export type Calls = Pick<
  Directory,
  'create' | 'find' | 'update' | 'disable' | 'enable' | 'delete' | 'addMembers' | 'removeMembers'
>;

export interface CallsOptions {
  readonly lease: Pick<Lease, 'hold' | 'heartbeatMs'>;
  readonly clock: Clock;
  /** Calls at a time. */
  readonly concurrency: number;
  /** Rejects when the command is interrupted. */
  readonly sleep: (ms: number) => Promise<void>;
  /** Rejects when no account is to be made any more. */
  readonly beforeCreate: () => Promise<void>;
  /** Waits before a call is given up, in milliseconds. */
  readonly waits?: readonly number[];
}

/** About a minute: a restart of the provider passes, an outage does not hold the command. */
const WAITS = [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000];
const LONGEST_WAIT_MS = 60_000;

/**
 * Calls bounded in number, repeated while the provider is away for a moment, and made under the lease alone: a process that was
 * paused for longer than the lease makes none once another run has begun. Throws ProviderStopped, LeaseLost, and as `Database`.
 */
export function openCalls(directory: Directory, options: CallsOptions): Calls {
  const { sleep, waits = WAITS } = options;
  const { provider } = directory.traits;
  const admitted = limiter(options.concurrency);
  const fenced = fence(options);
  const call = async <T extends { readonly outcome: string }>(
    work: () => Promise<T | Failure>,
  ): Promise<T> => {
    for (let attempt = 0; ; attempt += 1) {
      const result = await admitted(async () => {
        await fenced();
        return work();
      });
      if (!isStop(result)) return result;
      await pause(result, attempt);
    }
  };
  const pause = async (failure: Failure, attempt: number): Promise<void> => {
    const wait = waits[attempt];
    if (wait === undefined || !isRetryable(failure)) throw new ProviderStopped(provider, failure);
    const retryAfter = failure.outcome === 'busy' ? (failure.retryAfterSeconds ?? 0) * 1_000 : 0;
    await sleep(Math.min(LONGEST_WAIT_MS, Math.max(wait, retryAfter)));
  };
  return {
    async create(people) {
      const results = new Map<string, Creation>();
      for (let attempt = 0, left = people; left.length > 0; attempt += 1) {
        const some: readonly NewPerson[] = left;
        const made = await admitted(async () => {
          await fenced();
          await options.beforeCreate();
          return directory.create(some);
        });
        some.forEach(({ id }, at) => results.set(id, made[at] ?? NO_RESULT));
        const stopped = made.find(isStop);
        if (stopped === undefined) break;
        await pause(stopped, attempt);
        left = some.filter((_, at) => isStop(made[at] ?? NO_RESULT));
      }
      return people.map(({ id }) => results.get(id) ?? NO_RESULT);
    },
    find: (ids) => call(() => directory.find(ids)),
    update: (id, changes) => call(() => directory.update(id, changes)),
    disable: (id) => call(() => directory.disable(id)),
    enable: (id) => call(() => directory.enable(id)),
    delete: (id) => call(() => directory.delete(id)),
    addMembers: (group, ids) => call(() => directory.addMembers(group, ids)),
    removeMembers: (group, ids) => call(() => directory.removeMembers(group, ids)),
  };
}

const NO_RESULT: Creation = { outcome: 'failed', reason: 'no result for this person' };

/** Outcomes that every further call would share. */
function isStop(result: { readonly outcome: string }): result is Failure {
  return isRetryable(result) || result.outcome === 'denied';
}

/** At most `most` at a time, in order. */
function limiter(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}

/**
 * Renews the lease when the last renewal is older than a heartbeat, once for all calls that begin meanwhile. A provider takes no
 * fencing token, so this is as near as it gets.
 */
function fence({ lease, clock }: Pick<CallsOptions, 'lease' | 'clock'>): () => Promise<void> {
  let heldAt = -Infinity;
  let holding: Promise<void> | undefined;
  const hold = async (): Promise<void> => {
    const now = clock.now();
    try {
      await lease.hold();
      heldAt = now;
    } finally {
      holding = undefined;
    }
  };
  return async () => {
    const age = clock.now() - heldAt;
    if (age >= 0 && age < lease.heartbeatMs) return;
    await (holding ??= hold());
  };
}

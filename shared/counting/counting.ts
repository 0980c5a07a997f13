import { allOf, MARK_SECONDS, type MarkSource } from '../identity/marks.ts';
import type { Counters } from '../ports/counters.ts';
import type { SharedCounters } from '../ports/platform.ts';
import type { Mark, MarkStore, Revocations } from '../ports/revocations.ts';
import { inTime, type Clock } from '../ports/runtime.ts';
import { FallbackCounters, type FallbackOptions, type LocalCounters } from './fallback.ts';

export type LearnMark = (caller: string, mark: Mark, seconds: number) => void;

/** What counts requests and holds marks, with what a process does about it from its start to its end. */
export interface Counting {
  readonly counters: Counters;
  /** Revocations of the store whose marks the counters read in the same round trip. */
  readonly revocations: Revocations;
  /** Adds a source of marks that the counters have lost. */
  marksFrom(source: MarkSource): void;
  /** Adopts a mark of another process of this instance: see CountingDeps. */
  readonly learnMark: LearnMark;
  /**
   * Node only. Waits for connections that are made once, and for marks; /ready shows what is missing. From then on
   * the identity of the counter store is polled.
   */
  connect(): Promise<void>;
  /** Disconnects from the store. */
  readonly disconnect: () => void;
}

const LOOK_MS = 500;
/** Bounds a start's wait for marks: an instance that has not started serves no request. */
const MARKS_WITHIN_MS = 5_000;

export interface CountingDeps extends Pick<
  FallbackOptions,
  'mode' | 'clock' | 'random' | 'log' | 'background'
> {
  /** Counters of this process. */
  readonly local: Local;
  /** Null: those of this process alone. */
  readonly shared: (SharedCounters & MarkStore) | null;
  /** Called with each mark made here, where no store shares it with the other processes of this instance. */
  readonly onMark?: LearnMark | undefined;
}

type Local = Counters & LocalCounters;

/** Counts over the shared store where there is one, and in this process while it is away or where there is none. */
export function countingOver({ shared, onMark, ...deps }: CountingDeps): Counting {
  if (shared === null) return countAlone(deps.local, deps.clock, onMark);
  const counters = new FallbackCounters({
    ...deps,
    shared,
    onChange: (state) => {
      deps.log.warn('counter store', { ...state });
    },
  });
  let looking: ReturnType<typeof setInterval> | undefined;
  const sources: MarkSource[] = [];
  return {
    counters,
    revocations: counters,
    marksFrom(source) {
      sources.push(source);
      counters.marksFrom(allOf(sources));
    },
    // Every process reads the store's marks with each take.
    learnMark: () => undefined,
    async connect() {
      await Promise.allSettled([shared.ready?.()]);
      await inTime<unknown>(MARKS_WITHIN_MS, counters.look(), () => undefined);
      looking = setInterval(() => void counters.look(), LOOK_MS);
    },
    disconnect() {
      clearInterval(looking);
      shared.close?.();
    },
  };
}

/** Counters in memory, which is empty at every start. */
function countAlone(counters: Local, clock: Clock, onMark: LearnMark = () => undefined): Counting {
  const sources: MarkSource[] = [];
  const learnMark: LearnMark = (caller, mark, seconds) => {
    counters.marks.learn(caller, mark, seconds, clock.now());
  };
  return {
    counters,
    revocations: {
      async mark(caller, mark, seconds) {
        learnMark(caller, mark, seconds);
        onMark(caller, mark, seconds);
      },
    },
    marksFrom(from) {
      sources.push(from);
    },
    learnMark,
    async connect() {
      const oldest = clock.now() - MARK_SECONDS * 1_000;
      const learned = allOf(sources).since(oldest, async (caller, mark) => {
        learnMark(caller, mark, MARK_SECONDS);
      });
      await inTime<unknown>(MARKS_WITHIN_MS, Promise.allSettled([learned]), () => undefined);
    },
    disconnect: () => undefined,
  };
}

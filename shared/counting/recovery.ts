import { MARK_SECONDS, type KnownMarks, type MarkSource } from '../identity/marks.ts';
import type { Background, Clock, Random } from '../ports/runtime.ts';
import type { Log } from '../ports/log.ts';
import type { Mark, MarkStore } from '../ports/revocations.ts';
import { messageOf } from '../errors.ts';

export interface RecoveryOptions {
  readonly shared: Pick<MarkStore, 'mark' | 'name'>;
  /** The marks of this instance. */
  readonly known: KnownMarks;
  readonly clock: Clock;
  readonly random: Pick<Random, 'uuid'>;
  readonly background: Background;
  readonly log: Pick<Log, 'info' | 'warn'>;
}

/** Between two attempts; longer than answers stay in flight while a store is named. */
const PAUSE_MS = 500;
/** Longest that the work of a cancelled request (Workers) may block the next. */
const ATTEMPT_MS = 30_000;
/** Marks may be committed up to this long after their date. */
const LAG_MS = 60_000;
/** What a restarted store may have lost: a killed Redis starts from its last snapshot (`save 3600 1` by default). */
const LOST_MS = 7_200_000;
/** Concurrent writes: enough to hide the round trip, too few to fill a connection's queue. */
const BATCH = 200;

/** The store has all marks of the source, or only those of an instance without a source. */
const COMPLETE = 'complete';
const PARTIAL = 'partial';

/**
 * Restores marks to a store that lost them, and to this instance while there is no store. An emptied store has no name; the
 * first instance that detects it writes its own marks and the source's, and only then names it.
 */
export class MarksRecovery {
  readonly #options: RecoveryOptions;
  #source: MarkSource | undefined;
  #store: string | undefined;
  /** Marks since then may be missing in the store; undefined: none. */
  #lackingSinceMs: number | undefined;
  #readUntilMs = 0;
  #nextRecoveryMs = 0;
  #nextReadMs = 0;

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  from(source: MarkSource): void {
    this.#source = source;
  }

  /** Called with each answer of the store; returns undefined when there is nothing to do, which is nearly always. */
  heed(store: string): Promise<void> | undefined {
    if (store === this.#store && this.#lackingSinceMs === undefined) return undefined;
    const now = this.#options.clock.now();
    if (now < this.#nextRecoveryMs) return undefined;
    this.#nextRecoveryMs = now + ATTEMPT_MS;
    return this.#recover(store, now).finally(() => {
      this.#nextRecoveryMs = this.#options.clock.now() + PAUSE_MS;
    });
  }

  /** A mark did not reach the store, or the store was away and may return without its latest marks. */
  lacks(): void {
    this.#lackingSinceMs ??= this.#options.clock.now() - LOST_MS;
  }

  /** Without a store, reads the source twice a second, from where the last read ended. */
  readSource(): Promise<void> | undefined {
    const { clock } = this.#options;
    const now = clock.now();
    if (this.#source === undefined || now < this.#nextReadMs) return undefined;
    this.#nextReadMs = now + ATTEMPT_MS;
    return this.#read(this.#source, now).finally(() => {
      this.#nextReadMs = clock.now() + PAUSE_MS;
    });
  }

  /** For a store that lacks this instance's mark of a caller, or has an older one: writes it, and the source's. */
  async republish(caller: string, known: Mark | undefined): Promise<void> {
    try {
      if (known !== undefined) await this.#publish(caller, known);
      const mark = await this.#source?.of(caller);
      if (mark !== undefined) await this.#publish(caller, mark);
    } catch {
      this.lacks();
    }
  }

  async #recover(store: string, now: number): Promise<void> {
    const { log } = this.#options;
    const lacking = this.#lackingSinceMs;
    const another = store !== this.#store;
    const complete = store.startsWith(COMPLETE);
    const sinceMs = another ? 0 : (lacking ?? now);
    try {
      await this.#publishHeld(sinceMs, now);
      if (!(another && complete)) await this.#source?.since(Math.max(sinceMs, oldest(now)), this.#publish);
      else if (lacking !== undefined) await this.#source?.since(lacking, this.#publish);
      this.#store = await this.#named(store, complete);
      if (this.#lackingSinceMs === lacking) this.#lackingSinceMs = undefined;
      if (another && !complete)
        log.info('revocation marks were told to the counter store', { store: this.#store });
    } catch (error) {
      this.lacks();
      log.warn('revocation marks not told to the counter store', { reason: messageOf(error) });
    }
  }

  async #named(store: string, complete: boolean): Promise<string> {
    const { random, shared } = this.#options;
    if (store === '-' || complete || (store !== '' && this.#source === undefined)) return store;
    const name = `${this.#source === undefined ? PARTIAL : COMPLETE}:${random.uuid()}`;
    await shared.name(name);
    return name;
  }

  async #publishHeld(sinceMs: number, now: number): Promise<void> {
    const { known, shared } = this.#options;
    let batch: Promise<void>[] = [];
    for (const [caller, mark, seconds] of [...known.learnedSince(sinceMs, now)]) {
      batch.push(shared.mark(caller, mark, seconds));
      if (batch.length < BATCH) continue;
      await settled(batch);
      batch = [];
    }
    await settled(batch);
  }

  readonly #publish = async (caller: string, mark: Mark): Promise<void> => {
    this.#learn(caller, mark);
    await this.#options.shared.mark(caller, mark, MARK_SECONDS);
  };

  #learn(caller: string, mark: Mark): void {
    const { known, clock } = this.#options;
    known.learn(caller, mark, MARK_SECONDS, clock.now());
  }

  async #read(source: MarkSource, now: number): Promise<void> {
    try {
      await source.since(Math.max(this.#readUntilMs - LAG_MS, oldest(now)), async (caller, mark) => {
        this.#learn(caller, mark);
      });
      this.#readUntilMs = now;
    } catch (error) {
      this.#options.log.warn('revocation marks not read', { reason: messageOf(error) });
    }
  }
}

function oldest(now: number): number {
  return now - MARK_SECONDS * 1_000;
}

/** Settles all first, so that no rejection goes unhandled. */
async function settled(work: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(work);
  await Promise.all(work);
}

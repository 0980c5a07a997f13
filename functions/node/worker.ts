import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';
import type { Config } from '../configuration.ts';
import { UnusableConfiguration, type RawEnvironment } from '../../shared/configuration/slice.ts';
import { createPlatform } from '../../shared/deps.ts';
import type { MetricsSample } from '../../shared/ports/metrics.ts';
import type { Mark } from '../../shared/ports/revocations.ts';
import { STOP_SIGNALS } from './drain.ts';
import type { Settled } from './feature-sync.ts';
import { startProcess, type RunningProcess } from './process.ts';
import { messageOf } from '../../shared/errors.ts';

/** A mark that one process relays to the others. */
interface Marked {
  readonly kind: 'mark';
  readonly caller: string;
  readonly mark: Mark;
  readonly seconds: number;
}

/** An OpenFGA user whose cache entries no longer count. */
interface Forgotten {
  readonly kind: 'forget';
  readonly user: string;
}

interface FeatureSyncSettled {
  readonly kind: 'feature sync';
  readonly settled: Settled;
}

/** Messages of one process to all others. */
type Shared = Marked | Forgotten | FeatureSyncSettled;

export interface Start {
  readonly kind: 'start';
  readonly variables: RawEnvironment;
  readonly ephemeralKeys: Config['assertion'];
  /** Another process logs the configuration's warnings. */
  readonly quiet: boolean;
}

/** Messages of the primary to a worker. */
export type ToWorker =
  | Start
  | { readonly kind: 'lead' }
  | { readonly kind: 'stop'; readonly lingerMs: number }
  /** Requests a sample. */
  | { readonly kind: 'sample'; readonly id: number }
  | { readonly kind: 'samples'; readonly id: number; readonly samples: readonly MetricsSample[] }
  /** Nothing is in flight to the leaving worker any more. */
  | { readonly kind: 'farewell' }
  | Shared;

/** Messages of a worker to the primary. */
export type ToPrimary =
  /** It listens to messages; earlier ones are lost. */
  | { readonly kind: 'here' }
  | { readonly kind: 'serving'; readonly url: string; readonly workers: number }
  | { readonly kind: 'failed'; readonly message: string; readonly faults: readonly string[] | undefined }
  | { readonly kind: 'sample'; readonly id: number; readonly sample: MetricsSample }
  /** Requests the samples of all others. */
  | { readonly kind: 'scrape'; readonly id: number; readonly own: MetricsSample }
  /** It accepts no more connections. */
  | { readonly kind: 'shut' }
  /** It is drained; its final sample. */
  | { readonly kind: 'left'; readonly sample: MetricsSample }
  | Shared;

/** How long a scrape waits for the other processes. */
const SAMPLES_MS = 3_000;
/** How long a drained worker waits for the primary's farewell. */
const FAREWELL_MS = 1_000;

/**
 * One process of several: controlled by the primary, it ends when that does. Signals are left to the primary: a terminal and
 * systemd send theirs to all processes.
 */
export function serveForPrimary(): void {
  for (const signal of STOP_SIGNALS) process.on(signal, () => undefined);
  // Otherwise Node ends it at once, with all requests in flight, when the primary is gone.
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
  const worker = new Worker();
  process.on('message', (message: ToWorker) => {
    worker.take(message);
  });
  process.once('disconnect', () => {
    worker.take({ kind: 'stop', lingerMs: 0 });
  });
  send({ kind: 'here' });
}

class Worker {
  readonly #scrapes = new Map<number, (samples: readonly MetricsSample[]) => void>();
  readonly #platform = createPlatform({ samples: (own) => this.#others(own) });
  /** Messages that arrived before this process has counters and caches. */
  readonly #early: Shared[] = [];
  #running: RunningProcess | undefined;
  #leaving = false;
  #scrapeId = 0;

  take(message: ToWorker): void {
    switch (message.kind) {
      case 'start':
        void this.#start(message);
        return;
      case 'lead':
        this.#running?.lead();
        return;
      case 'stop':
        void this.#leave(message.lingerMs);
        return;
      case 'sample':
        void this.#sample(message.id);
        return;
      case 'samples':
        this.#scrapes.get(message.id)?.(message.samples);
        return;
      case 'farewell':
        process.exit(0);
        return;
      case 'mark':
      case 'forget':
      case 'feature sync':
        this.#learn(message);
    }
  }

  async #start({ variables, ephemeralKeys, quiet }: Start): Promise<void> {
    try {
      this.#running = await startProcess(variables, {
        platform: this.#platform,
        quiet,
        ephemeralKeys,
        onMark: (caller, mark, seconds) => {
          send({ kind: 'mark', caller, mark, seconds });
        },
        onForget: (user) => {
          send({ kind: 'forget', user });
        },
        onFeatureSync: (settled) => {
          send({ kind: 'feature sync', settled });
        },
      });
    } catch (error) {
      const faults = error instanceof UnusableConfiguration ? error.faults : undefined;
      const message = messageOf(error);
      send({ kind: 'failed', message, faults }, () => process.exit(1));
      return;
    }
    for (const message of this.#early) this.#learn(message);
    const { url, config } = this.#running;
    const workers = config.workers === 'auto' ? availableParallelism() : config.workers;
    send({ kind: 'serving', url, workers });
  }

  #learn(message: Shared): void {
    if (this.#running === undefined) this.#early.push(message);
    else if (message.kind === 'feature sync') this.#running.featureSync.learn(message.settled);
    else if (message.kind === 'forget') this.#running.forget(message.user);
    else this.#running.learnMark(message.caller, message.mark, message.seconds);
  }

  /**
   * Connections in flight from the primary still arrive here, and are sent back: only after the farewell, which follows them,
   * is none lost with this process.
   */
  async #leave(lingerMs: number): Promise<void> {
    if (this.#leaving) return;
    this.#leaving = true;
    const closed = this.#running?.close(lingerMs);
    send({ kind: 'shut' });
    await closed;
    this.#running?.log.flush();
    const sample = await this.#platform.metrics.sample();
    if (!process.connected) process.exit(0);
    send({ kind: 'left', sample });
    setTimeout(() => process.exit(0), FAREWELL_MS);
  }

  async #sample(id: number): Promise<void> {
    send({ kind: 'sample', id, sample: await this.#platform.metrics.sample() });
  }

  /** Rejects when the primary does not answer: a sum without the others would be taken for reset counters. */
  #others(own: MetricsSample): Promise<readonly MetricsSample[]> {
    const id = (this.#scrapeId += 1);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#scrapes.delete(id);
        reject(new Error('the primary process does not answer'));
      }, SAMPLES_MS);
      this.#scrapes.set(id, (samples) => {
        this.#scrapes.delete(id);
        clearTimeout(timer);
        resolve(samples);
      });
      send({ kind: 'scrape', id, own });
    });
  }
}

/** Errors are ignored: the channel signals a lost primary, and messages to it are dropped. */
function send(message: ToPrimary, then: () => void = () => undefined): void {
  process.send?.(message, undefined, undefined, then);
}

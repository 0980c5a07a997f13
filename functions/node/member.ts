import type { SendHandle, Serializable } from 'node:child_process';
import cluster, { type Worker } from 'node:cluster';
import type { Config } from '../configuration.ts';
import { UnusableConfiguration, type RawEnvironment } from '../../shared/configuration/slice.ts';
import type { MetricsSample } from '../../shared/ports/metrics.ts';
import { DRAIN_MS } from './drain.ts';
import type { Settled } from './feature-sync.ts';
import type { ToPrimary, ToWorker } from './worker.ts';

/** Bound on a worker's start. */
const START_MS = 60_000;
/** A worker that has not ended by then is killed. */
const LEAVE_MS = DRAIN_MS + 3_000;
/** For a worker that is busy for longer, the previous sample counts. */
const SAMPLE_MS = 1_000;

/** State shared by the processes of one configuration. */
export interface Generation {
  readonly variables: RawEnvironment;
  /** Wanted number of processes: WORKERS, as the first of them reads it. */
  size: number;
  featureSync?: Settled;
}

export interface MemberDeps {
  /** Shared by all processes, where the configuration has no assertion keys. */
  readonly ephemeralKeys: Config['assertion'];
  /** Messages that concern other processes. */
  readonly relay: (message: ToPrimary, from: Member) => void;
  /** Called once, after the process has ended. */
  readonly ended: (member: Member, how: string) => void;
}

/** The primary's side of one worker process. */
export class Member {
  readonly generation: Generation;
  state: 'starting' | 'serving' | 'leaving' = 'starting';
  url = '';
  /** The latest sample. Kept when the process ends, however that ends, so that sums are monotonic. */
  sample: MetricsSample = [];
  readonly #deps: MemberDeps;
  readonly #worker: Worker;
  readonly #closeUnanswered: () => void;
  readonly #sampling = new Map<number, () => void>();
  #samples = 0;
  #settle: (error?: Error) => void = () => undefined;
  #quiet = false;
  /** Whether other processes go on accepting when this one stops. */
  #succeeded = true;

  constructor(generation: Generation, deps: MemberDeps) {
    this.generation = generation;
    this.#deps = deps;
    this.#worker = cluster.fork();
    this.#closeUnanswered = unansweredOf(this.#worker);
    this.#worker.on('message', (message: ToPrimary) => {
      this.#take(message);
    });
    this.#worker.once('exit', (code, signal: string | null) => {
      this.#end(signal ?? `exit code ${code}`);
    });
    // Without a process there is no exit event.
    this.#worker.on('error', ({ message }) => {
      if (this.pid === undefined) this.#end(message);
    });
  }

  get pid(): number | undefined {
    return this.#worker.process.pid;
  }

  /** Resolves when it serves. Rejects with UnusableConfiguration, or an Error when the process ends before, or is late. */
  start(quiet: boolean): Promise<void> {
    this.#quiet = quiet;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`a worker process did not serve within ${START_MS / 1_000} s`));
        this.kill();
      }, START_MS);
      this.#settle = (error) => {
        clearTimeout(timer);
        if (error === undefined) resolve();
        else reject(error);
      };
    });
  }

  /** Drains the process; a starting one is killed. `succeeded`: other processes go on accepting. */
  leave(lingerMs: number, succeeded: boolean): void {
    const { state } = this;
    this.state = 'leaving';
    this.#succeeded = succeeded;
    if (state === 'starting') this.kill();
    if (state !== 'serving') return;
    this.post({ kind: 'stop', lingerMs });
    setTimeout(() => {
      this.kill();
    }, LEAVE_MS).unref();
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL');
  }

  /** Ignores errors: a closed channel belongs to an ending process. */
  post(message: ToWorker): void {
    this.#worker.send(message, undefined, () => undefined);
  }

  /** Resolves when `sample` is current, or did not arrive in time. */
  resample(): Promise<void> {
    const id = (this.#samples += 1);
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#sampling.delete(id);
        resolve();
      };
      const timer = setTimeout(done, SAMPLE_MS);
      this.#sampling.set(id, done);
      this.post({ kind: 'sample', id });
    });
  }

  #take(message: ToPrimary): void {
    switch (message.kind) {
      case 'here':
        this.#begin();
        return;
      case 'serving':
        if (this.state === 'starting') this.state = 'serving';
        this.url = message.url;
        this.generation.size = message.workers;
        this.#settle();
        return;
      case 'failed':
        this.#settle(
          message.faults === undefined
            ? new Error(message.message)
            : new UnusableConfiguration(message.faults),
        );
        return;
      case 'sample':
        this.sample = message.sample;
        this.#sampling.get(message.id)?.();
        return;
      case 'shut':
        // A refused connection goes to another process, where there is one.
        if (!this.#succeeded) this.#closeUnanswered();
        return;
      case 'left':
        this.sample = message.sample;
        this.post({ kind: 'farewell' });
        return;
      case 'scrape':
        this.sample = message.own;
        this.#deps.relay(message, this);
        return;
      default:
        this.#deps.relay(message, this);
    }
  }

  #begin(): void {
    const { variables, featureSync } = this.generation;
    const { ephemeralKeys } = this.#deps;
    this.post({ kind: 'start', variables, ephemeralKeys, quiet: this.#quiet });
    if (featureSync !== undefined) this.post({ kind: 'feature sync', settled: featureSync });
  }

  #end(how: string): void {
    this.#closeUnanswered();
    for (const done of this.#sampling.values()) done();
    this.#settle(new Error(`a worker process ended before it served: ${how}`));
    this.#deps.ended(this, how);
  }
}

/** The process that a connection was last handed to. */
const holders = new WeakMap<object, object>();

/**
 * Closes the connection that a worker was handed and did not accept. node:cluster hands over connections one at a time by
 * `send`, and keeps its own descriptor until the worker answers: for ever when the worker dies before, or when it refuses and
 * no other accepts. The client would wait without bound. An accepted connection is not affected: the worker has its own
 * descriptor. Node does not document its message: where it is another one, all are passed on and none is closed.
 */
export function unansweredOf({ process: child }: Pick<Worker, 'process'>): () => void {
  const send = child.send.bind(child);
  let last: Closable | undefined;
  Object.assign(child, {
    send(message: Serializable, handle?: SendHandle, ...rest: never[]): boolean {
      if (handsOver(message) && isClosable(handle)) {
        holders.set(handle, child);
        last = handle;
      }
      return send(message, handle, ...rest);
    },
  });
  return () => {
    if (last !== undefined && holders.get(last) === child) last.close();
  };
}

interface Closable {
  close(): void;
}

function handsOver(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'act' in message && message.act === 'newconn';
}

function isClosable(handle: unknown): handle is Closable {
  return (
    typeof handle === 'object' && handle !== null && 'close' in handle && typeof handle.close === 'function'
  );
}

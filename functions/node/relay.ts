import type { MetricsSample, ProcessMetrics } from '../../shared/ports/metrics.ts';
import type { Member } from './member.ts';
import type { ToPrimary, ToWorker } from './worker.ts';

/** Relays shared state between worker processes, and sums their metrics. */
export class Relay {
  readonly #members: ReadonlySet<Member>;
  /** Of the primary itself. */
  readonly #metrics: ProcessMetrics;
  readonly #countDeath: () => void;
  /** Counters of ended processes: without them sums would fall, and be taken for reset counters. */
  #departed: MetricsSample = [];

  constructor(members: ReadonlySet<Member>, metrics: ProcessMetrics) {
    this.#members = members;
    this.#metrics = metrics;
    this.#countDeath = metrics.counter(
      'sallyport_worker_deaths_total',
      'Worker processes that ended by themselves while they served.',
    );
  }

  take(message: ToPrimary, from: Member): void {
    switch (message.kind) {
      case 'mark':
      case 'forget':
        this.#broadcast(message, from);
        return;
      case 'feature sync':
        from.generation.featureSync = message.settled;
        this.#broadcast(message, from);
        return;
      case 'scrape':
        void this.#answer(from, message.id);
        return;
      default:
        // Other kinds are for its Member.
        return;
    }
  }

  /** Keeps the counters of an ended process; `died`: it ended unrequested. */
  keep({ sample }: Member, died: boolean): void {
    if (died) this.#countDeath();
    this.#departed = this.#metrics.counted([this.#departed, sample]);
  }

  /** A feature sync goes only to processes of the same configuration. */
  #broadcast(message: ToWorker, from: Member): void {
    for (const member of this.#members) {
      const fits = message.kind !== 'feature sync' || member.generation === from.generation;
      if (member !== from && fits) member.post(message);
    }
  }

  async #answer(from: Member, id: number): Promise<void> {
    const others = [...this.#members].filter((member) => member !== from && member.state !== 'starting');
    await Promise.all(others.map((member) => member.resample()));
    const own = await this.#metrics.sample();
    // The primary's event loop serves no requests: averages are over the workers.
    const sums = own.filter(({ aggregator }) => aggregator === 'sum');
    // No await from here on: a process that ends meanwhile would be counted twice, or not at all.
    const living = [...this.#members].filter((member) => member !== from).map(({ sample }) => sample);
    from.post({ kind: 'samples', id, samples: [sums, this.#departed, ...living] });
  }
}

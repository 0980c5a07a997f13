import type { StoredEvent } from './events.ts';
import { fateOf, seeded, shuffled } from './schedule.ts';

export interface DeliveryOptions {
  /** Undefined: each event once, in order. */
  readonly seed: number | undefined;
  /** Brings one event to the target; answers its status, or undefined when there is no target. */
  readonly deliver: (event: StoredEvent) => Promise<number | undefined>;
}

/** What happens to events between Zitadel and the target. A delivery that fails is not tried again. */
export class Deliveries {
  readonly #deliver: DeliveryOptions['deliver'];
  readonly #random: (() => number) | undefined;
  readonly #statuses: number[] = [];
  #held: StoredEvent[] = [];
  #sending: Promise<void> = Promise.resolve();

  constructor({ seed, deliver }: DeliveryOptions) {
    this.#deliver = deliver;
    this.#random = seed === undefined ? undefined : seeded(seed);
  }

  enqueue(event: StoredEvent): void {
    if (this.#random === undefined) {
      this.#send(event);
      return;
    }
    const { copies, delayed } = fateOf(this.#random);
    for (let copy = 0; copy < copies; copy++) {
      if (delayed) this.#held.push(event);
      else this.#send(event);
    }
  }

  /** Lets the delayed deliveries arrive, in an order of chance; resolves when the target has answered all. */
  async flush(): Promise<void> {
    const held = this.#random === undefined ? this.#held : shuffled(this.#held, this.#random);
    this.#held = [];
    for (const event of held) this.#send(event);
    await this.settled();
  }

  /** Resolves when the target has answered everything that was not delayed. */
  async settled(): Promise<void> {
    await this.#sending;
  }

  /** What the target answered, in order; 0 = not at all. */
  get statuses(): readonly number[] {
    return this.#statuses;
  }

  #send(event: StoredEvent): void {
    this.#sending = this.#sending.then(async () => {
      const status = await this.#deliver(event);
      if (status !== undefined) this.#statuses.push(status);
    });
    // settled() rejects with the failure; before it is called the promise would count as unhandled.
    this.#sending.catch(() => undefined);
  }
}

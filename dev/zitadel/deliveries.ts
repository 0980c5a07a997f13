import type { StoredEvent } from './events.ts';
import { fateOf, seeded, shuffled } from './schedule.ts';
import { signature, toDelivery } from './wire.ts';

export interface Target {
  readonly url: string;
  readonly signingKey: string;
}

export interface DeliveryOptions {
  /** Undefined: nothing is delivered. */
  readonly target: Target | undefined;
  /** Undefined: each event once, in order. */
  readonly seed: number | undefined;
  readonly now: () => number;
}

const TIMEOUT_MS = 10_000;

/** What happens to events between Zitadel and the target. A delivery that fails is not tried again. */
export class Deliveries {
  readonly #options: DeliveryOptions;
  readonly #random: (() => number) | undefined;
  #held: StoredEvent[] = [];
  #sending: Promise<void> = Promise.resolve();
  #statuses: number[] = [];

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#random = options.seed === undefined ? undefined : seeded(options.seed);
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
    const { target } = this.#options;
    if (target === undefined) return;
    this.#sending = this.#sending.then(async () => {
      this.#statuses.push(await this.#post(event, target));
    });
  }

  async #post(event: StoredEvent, { url, signingKey }: Target): Promise<number> {
    const body = JSON.stringify(toDelivery(event));
    const headers = {
      'content-type': 'application/json',
      'zitadel-signature': signature(body, signingKey, this.#options.now()),
    };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const answer = await fetch(url, { method: 'POST', headers, body, signal }).catch(() => undefined);
    await answer?.body?.cancel();
    return answer?.status ?? 0;
  }
}

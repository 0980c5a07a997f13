/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Fate {
  /** 0 = dropped, 2 = doubled. */
  readonly copies: 0 | 1 | 2;
  /** Held back until the queue is flushed. */
  readonly delayed: boolean;
}

const DROPPED = 0.25;
const DOUBLED = 0.2;
const DELAYED = 0.4;

/** What becomes of one delivery. */
export function fateOf(random: () => number): Fate {
  const [copies, delay] = [random(), random()];
  return { copies: copies < DROPPED ? 0 : copies < DROPPED + DOUBLED ? 2 : 1, delayed: delay < DELAYED };
}

/** In an order of chance. */
export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const order = items.map((item) => ({ item, key: random() }));
  return order.sort((a, b) => a.key - b.key).map(({ item }) => item);
}

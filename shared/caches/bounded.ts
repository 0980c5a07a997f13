/** A cache entry: `used` is set on each hit. */
export interface Kept {
  used: boolean;
}

/**
 * Bounds entries of other tables to `max`. Evicts those first that were not used since the hand last passed them (SIEVE,
 * Zhang et al. 2024): a hit costs one write, not a change of order.
 */
export class Bounded<Item extends Kept> {
  readonly #items = new Set<Item>();
  readonly #max: number;
  readonly #drop: (item: Item) => void;
  #hand = this.#items.values();

  /** `drop` is called for evicted entries, not for removed ones. */
  constructor(max: number, drop: (item: Item) => void) {
    this.#max = max;
    this.#drop = drop;
  }

  get size(): number {
    return this.#items.size;
  }

  add(item: Item): void {
    if (this.#items.size >= this.#max && !this.#items.has(item)) this.evict();
    this.#items.add(item);
  }

  remove(item: Item): void {
    this.#items.delete(item);
  }

  /** Evicts one entry, if there is any. */
  evict(): void {
    while (this.#items.size > 0) {
      const next = this.#hand.next();
      if (next.done === true) this.#hand = this.#items.values();
      else if (next.value.used) next.value.used = false;
      else {
        this.#items.delete(next.value);
        this.#drop(next.value);
        return;
      }
    }
  }
}

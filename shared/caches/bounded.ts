/** Something remembered: `used` is set by whoever finds it useful. */
export interface Kept {
  used: boolean;
}

/**
 * At most `max` things that are remembered elsewhere, where they are found. When there are too many, those go first that were
 * not used since they were last looked at (SIEVE, Zhang et al. 2024): a use costs one write, not a change of order.
 */
export class Bounded<Item extends Kept> {
  readonly #items = new Set<Item>();
  readonly #max: number;
  readonly #drop: (item: Item) => void;
  #hand = this.#items.values();

  /** `drop` is called for what has to go, and not for what was removed. */
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

  /** Drops one, if there is any. */
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

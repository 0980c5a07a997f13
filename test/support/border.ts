/** `lost`: not passed on. `unanswered`: carried out, its answer kept back. `answered`: the last one that gets an answer. */
export type Fate = 'lost' | 'unanswered' | 'answered';

/** Counts the calls that cross to services; one of them meets its fate, and nothing crosses after it. */
export class Border {
  struck = false;
  calls = 0;
  #at = Infinity;
  #fate: Fate = 'lost';
  #strike: (() => void) | undefined;

  /** The `at`th call from now on meets `fate`, and in that moment `strike` is called. */
  arm(at: number, fate: Fate, strike?: () => void): void {
    [this.#at, this.#fate, this.#strike] = [at, fate, strike];
    this.calls = 0;
    this.struck = false;
  }

  /** Everything passes, also while a call that met its fate before is still under way. */
  disarm(): void {
    this.arm(Infinity, 'lost');
  }

  judge(): Fate | 'passes' {
    this.calls += 1;
    if (this.struck) return 'lost';
    return this.calls === this.#at ? this.#fate : 'passes';
  }

  strike(): void {
    if (this.struck || this.#strike === undefined) return;
    this.struck = true;
    this.#strike();
  }
}

/** Whoever waits for its share of a target's connections. */
export interface Waiting {
  /** It is yours now, until `leave`. */
  begin(): void;
}

/**
 * Shares the connections of one target among addresses: an address may hold no more than are still free, so that one
 * alone holds half at most, and whoever holds none always finds one while there is any (the dynamic thresholds of shared
 * buffers, Choudhury and Hahne 1998). Who is over its share waits, and harms itself alone.
 */
export class Shares {
  private free: number;
  private readonly held = new Map<string, number>();
  /** In turn: an address that was served goes to the end. */
  private readonly queues = new Map<string, Set<Waiting>>();

  constructor(capacity: number) {
    this.free = capacity;
  }

  /** True: the connection is there, and `begin` is not called. False: `begin` will be called, unless withdrawn. */
  enter(address: string, who: Waiting): boolean {
    const queue = this.queues.get(address);
    if (queue === undefined && this.grant(address)) return true;
    if (queue === undefined) this.queues.set(address, new Set([who]));
    else queue.add(who);
    return false;
  }

  /** Waits no longer. */
  withdraw(address: string, who: Waiting): void {
    const queue = this.queues.get(address);
    if (queue?.delete(who) === true && queue.size === 0) this.queues.delete(address);
  }

  /** Gives back what `enter` or `begin` gave. */
  leave(address: string): void {
    this.free += 1;
    const left = (this.held.get(address) ?? 0) - 1;
    if (left > 0) this.held.set(address, left);
    else this.held.delete(address);
    if (this.queues.size > 0) this.serve();
  }

  private grant(address: string): boolean {
    const own = this.held.get(address) ?? 0;
    if (own >= this.free) return false;
    this.free -= 1;
    this.held.set(address, own + 1);
    return true;
  }

  private serve(): void {
    // Serving moves an address to the end, where the loop would meet it again.
    let turns = this.queues.size;
    for (const [address, queue] of this.queues) {
      if (this.free === 0 || turns-- === 0) return;
      const [first] = queue;
      if (first === undefined || !this.grant(address)) continue;
      this.queues.delete(address);
      queue.delete(first);
      if (queue.size > 0) this.queues.set(address, queue);
      first.begin();
    }
  }
}

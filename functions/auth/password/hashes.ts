import { Refusal } from '../../../shared/errors.ts';
import type { Passwords } from '../../../shared/ports/passwords.ts';

/** A bcrypt hash that can be compared. */
export interface UsableHash {
  readonly cost: number;
  /** With the prefix $2b$, which all libraries read alike. */
  readonly text: string;
}

/**
 * $2a$, $2b$ and $2y$ mean the same for what implementations of today write. $2x$ marks hashes of a broken one, whose comparison
 * would be wrong. Costs above 16 are none of a sign-in: one of them takes seconds.
 */
const USABLE = /^\$2[aby]\$(0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}$/;

/** Undefined for what no comparison may be made with. */
export function usableHash(stored: string | null): UsableHash | undefined {
  const cost = USABLE.exec(stored ?? '')?.[1];
  return stored === null || cost === undefined
    ? undefined
    : { cost: Number(cost), text: `$2b$${stored.slice(4)}` };
}

/** Of a hash for a provider: Zitadel takes none that is cheaper. */
export const LEAST_COST = 10;

/** bcrypt reads no more of a password. */
export const MOST_BYTES = 72;

/** Whether bcrypt would compare a part of the password alone. */
export function isCut(password: string): boolean {
  return Buffer.byteLength(password) > MOST_BYTES;
}

/** A hash of nothing, of a given cost: to compare with where there is no other. */
function hashOfNothing(cost: number): string {
  return `$2b$${String(cost).padStart(2, '0')}$${'.'.repeat(21)}O${'.'.repeat(31)}`;
}

/** Longest that a password waits for its turn. */
const PATIENCE_MS = 10_000;
const MOST_WAITING = 1_000;

/** bcrypt, computed for no more passwords at once than the runtime can without work of others waiting for it. */
export class Hashing {
  readonly #passwords: Passwords;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(passwords: Passwords) {
    this.#passwords = passwords;
  }

  /** Throws Refusal `sign_in_busy`. */
  verify(password: string, hash: UsableHash): Promise<boolean> {
    return this.#inTurn(() => this.#passwords.verify(password, hash.text));
  }

  /** Throws Refusal `sign_in_busy`. */
  hash(password: string, cost: number): Promise<string> {
    return this.#inTurn(() => this.#passwords.hash(password, cost));
  }

  /** Computes as much as a comparison with a hash of cost `to` exceeds one of cost `from`; 0: one that was not made at all. */
  async pay(password: string, from: number, to: number): Promise<void> {
    if (from === 0) {
      await this.verify(password, { cost: to, text: hashOfNothing(to) });
      return;
    }
    // 2^to - 2^from = 2^from + 2^(from + 1) + … + 2^(to - 1).
    for (let cost = from; cost < to; cost += 1)
      await this.verify(password, { cost, text: hashOfNothing(cost) });
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#passwords.atOnce) await this.#turn();
    else this.#running += 1;
    try {
      return await work();
    } finally {
      // The turn is handed on, so that a new call does not overtake those that wait.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  async #turn(): Promise<void> {
    if (this.#waiting.length >= MOST_WAITING) throw busy();
    await new Promise<void>((resolve, reject) => {
      const go = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1);
        reject(busy());
      }, PATIENCE_MS);
      this.#waiting.push(go);
    });
  }
}

function busy(): Refusal {
  return new Refusal('sign_in_busy', 'too many passwords wait for their check', {
    headers: { 'retry-after': '5' },
  });
}

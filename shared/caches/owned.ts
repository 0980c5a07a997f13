import { LRUCache } from 'lru-cache';

/** Shared by all that one owner has in the cache, so that one write makes all of it void. */
interface Owner {
  entries: number;
  forgotten: boolean;
}

interface Owned<Value> {
  readonly name: string;
  readonly owner: Owner;
  readonly value: Value;
}

export type Keep<Value> = (key: string, owner: string, value: Value) => void;

/** Values by key, each of an owner. Forgetting an owner costs the same whatever is remembered, of it or of others. */
export class OwnedCache<Value> {
  readonly #entries: LRUCache<string, Owned<Value>>;
  readonly #owners = new Map<string, Owner>();
  /** For each question under way: whose answers came to be out of date meanwhile. */
  readonly #underway = new Set<Set<string>>();

  constructor(max: number) {
    this.#entries = new LRUCache({
      max,
      dispose: (entry) => {
        this.#leave(entry);
      },
    });
  }

  get(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    return entry === undefined || entry.owner.forgotten ? undefined : entry.value;
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  /** Runs `ask` with the way to keep what it finds; of an owner who is forgotten meanwhile nothing is kept. */
  async asking<T>(ask: (keep: Keep<Value>) => Promise<T>): Promise<T> {
    const forgotten = new Set<string>();
    this.#underway.add(forgotten);
    try {
      return await ask((key, owner, value) => {
        if (!forgotten.has(owner)) this.#set(key, owner, value);
      });
    } finally {
      this.#underway.delete(forgotten);
    }
  }

  forget(name: string): void {
    const owner = this.#owners.get(name);
    if (owner !== undefined) owner.forgotten = true;
    this.#owners.delete(name);
    for (const forgotten of this.#underway) forgotten.add(name);
  }

  #set(key: string, name: string, value: Value): void {
    const owner = this.#owners.get(name) ?? { entries: 0, forgotten: false };
    owner.entries += 1;
    this.#owners.set(name, owner);
    this.#entries.set(key, { name, owner, value });
  }

  #leave({ name, owner }: Owned<Value>): void {
    owner.entries -= 1;
    if (owner.entries === 0 && this.#owners.get(name) === owner) this.#owners.delete(name);
  }
}

import { formatTuple, type TupleKey } from '../tuple.ts';

export interface StoredTuple {
  readonly key: TupleKey;
  readonly timestamp: string;
}

export interface TupleChange extends StoredTuple {
  readonly operation: 'TUPLE_OPERATION_WRITE' | 'TUPLE_OPERATION_DELETE';
}

/** The relationship tuples of one store, in the order written, with an index for evaluation and a change log. */
export class TupleStore {
  readonly #tuples = new Map<string, StoredTuple>();
  readonly #users = new Map<string, Set<string>>();
  readonly #changes: TupleChange[] = [];

  has(key: TupleKey): boolean {
    return this.#tuples.has(formatTuple(key));
  }

  all(): Iterable<StoredTuple> {
    return this.#tuples.values();
  }

  changes(): readonly TupleChange[] {
    return this.#changes;
  }

  /** The users written for `object#relation`. */
  usersOf(object: string, relation: string): Iterable<string> {
    return this.#users.get(`${object}#${relation}`) ?? [];
  }

  /** Deletes come first. The caller has made sure that every step can be done, so none can fail half-way. */
  apply(deletes: readonly TupleKey[], writes: readonly TupleKey[]): void {
    const timestamp = new Date().toISOString();
    for (const key of deletes) this.#delete(key, timestamp);
    for (const key of writes) this.#write(key, timestamp);
  }

  #write(key: TupleKey, timestamp: string): void {
    this.#tuples.set(formatTuple(key), { key, timestamp });
    const node = `${key.object}#${key.relation}`;
    const users = this.#users.get(node) ?? new Set();
    this.#users.set(node, users.add(key.user));
    this.#changes.push({ key, timestamp, operation: 'TUPLE_OPERATION_WRITE' });
  }

  #delete(key: TupleKey, timestamp: string): void {
    this.#tuples.delete(formatTuple(key));
    this.#users.get(`${key.object}#${key.relation}`)?.delete(key.user);
    this.#changes.push({ key, timestamp, operation: 'TUPLE_OPERATION_DELETE' });
  }
}

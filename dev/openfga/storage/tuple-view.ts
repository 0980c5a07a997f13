import type { AuthorizationModel } from '../model/model.ts';
import { faultOfStoredTuple } from '../model/tuple-rules.ts';
import type { TupleKey } from '../tuple.ts';
import type { TupleStore } from './tuple-store.ts';

/** What one question sees: the stored tuples and its contextual ones, without those the model no longer allows. */
export class TupleView {
  readonly model: AuthorizationModel;
  readonly #store: TupleStore;
  readonly #contextual: readonly TupleKey[];
  readonly #contextualUsers = new Map<string, string[]>();

  constructor(model: AuthorizationModel, store: TupleStore, contextual: readonly TupleKey[]) {
    this.model = model;
    this.#store = store;
    this.#contextual = contextual;
    for (const { object, relation, user } of contextual) {
      const node = `${object}#${relation}`;
      this.#contextualUsers.set(node, [...(this.#contextualUsers.get(node) ?? []), user]);
    }
  }

  usersOf(object: string, relation: string): ReadonlySet<string> {
    const contextual = this.#contextualUsers.get(`${object}#${relation}`) ?? [];
    const users = [...contextual, ...this.#store.usersOf(object, relation)];
    return new Set(
      users.filter((user) => faultOfStoredTuple(this.model, { object, relation, user }) === undefined),
    );
  }

  /** Every object that has a tuple, oldest first. */
  objects(): ReadonlySet<string> {
    const found = new Set<string>();
    for (const { key } of this.#store.all()) found.add(key.object);
    for (const { object } of this.#contextual) found.add(object);
    return found;
  }
}

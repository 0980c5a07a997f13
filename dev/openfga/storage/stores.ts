import { FgaError } from '../errors.ts';
import { newUlid } from '../ids.ts';
import { AuthorizationModel } from '../model/model.ts';
import type { ModelDefinition } from '../model/types.ts';
import type { TupleKey } from '../tuple.ts';
import { TupleStore } from './tuple-store.ts';

export interface Store {
  readonly id: string;
  readonly name: string;
  readonly created_at: string;
  readonly updated_at: string;
}

/** A check and its expected answer, kept with a model for tools that test it. */
export interface Assertion {
  readonly tuple_key: TupleKey;
  readonly expectation: boolean;
  readonly contextual_tuples: readonly TupleKey[];
}

/** What lives under one store id. */
export class StoreContents {
  readonly tuples = new TupleStore();
  readonly assertions = new Map<string, readonly Assertion[]>();
  readonly #models: AuthorizationModel[] = [];

  readonly #storeId: string;

  constructor(storeId: string) {
    this.#storeId = storeId;
  }

  addModel(definition: ModelDefinition): AuthorizationModel {
    const model = new AuthorizationModel(newUlid(), definition);
    this.#models.push(model);
    return model;
  }

  modelsNewestFirst(): readonly AuthorizationModel[] {
    return this.#models.toReversed();
  }

  /** The named model, or the latest one when no id is given. */
  model(id: string): AuthorizationModel {
    if (id === '') return this.#latestModel();
    const model = this.#models.find((candidate) => candidate.id === id);
    if (model !== undefined) return model;
    throw new FgaError('authorization_model_not_found', `Authorization Model '${id}' not found`);
  }

  #latestModel(): AuthorizationModel {
    const latest = this.#models.at(-1);
    if (latest !== undefined) return latest;
    const message = `No authorization models found for store '${this.#storeId}'`;
    throw new FgaError('latest_authorization_model_not_found', message);
  }
}

/**
 * The list of stores and, apart from it, their contents. Like OpenFGA's in-memory datastore, the contents do not ask
 * whether the store is (still) on the list: an unknown store is an empty one, a deleted store keeps answering checks.
 */
export class Stores {
  readonly #stores = new Map<string, Store>();
  readonly #contents = new Map<string, StoreContents>();

  create(name: string): Store {
    const now = new Date().toISOString();
    const store: Store = { id: newUlid(), name, created_at: now, updated_at: now };
    this.#stores.set(store.id, store);
    return store;
  }

  list(): readonly Store[] {
    return [...this.#stores.values()];
  }

  get(id: string): Store {
    const store = this.#stores.get(id);
    if (store === undefined) throw new FgaError('store_id_not_found', 'Store ID not found');
    return store;
  }

  delete(id: string): void {
    this.#stores.delete(id);
  }

  contents(id: string): StoreContents {
    const contents = this.#contents.get(id) ?? new StoreContents(id);
    this.#contents.set(id, contents);
    return contents;
  }
}

import { randomInt } from 'node:crypto';
import { FgaError, validationError } from './faults.ts';
import { AuthorizationModel, type ModelDefinition } from './model.ts';
import type { ReadRequest, WriteRequest } from './requests.ts';
import { assertDeletable, assertWritable, formatTuple, idOf, typeOf, type TupleKey } from './tuples.ts';

const MAX_TUPLES_PER_WRITE = 100;

interface StoredTuple {
  readonly key: TupleKey;
  readonly timestamp: string;
}

/** What lives under one store id: its models, oldest first, and its tuples in the order written. */
export class Store {
  readonly #id: string;
  readonly #models: AuthorizationModel[] = [];
  readonly #tuples = new Map<string, StoredTuple>();
  readonly #users = new Map<string, Set<string>>();

  constructor(id: string) {
    this.#id = id;
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
    const model = id === '' ? this.#models.at(-1) : this.#models.find((each) => each.id === id);
    if (model !== undefined) return model;
    if (id !== '')
      throw new FgaError('authorization_model_not_found', `Authorization Model '${id}' not found`);
    const message = `No authorization models found for store '${this.#id}'`;
    throw new FgaError('latest_authorization_model_not_found', message);
  }

  /** The users written for `object#relation`. */
  usersOf(object: string, relation: string): Iterable<string> {
    return this.#users.get(`${object}#${relation}`) ?? [];
  }

  /** The stored tuples, all or those of a pattern; empty fields match anything, `doc:` any object of the type. */
  matching(pattern: ReadRequest['tuple_key']): readonly StoredTuple[] {
    const all = [...this.#tuples.values()];
    if (pattern === undefined) return all;
    const { object, relation, user } = pattern;
    if (typeOf(object) === '' || (idOf(object) === '' && user === ''))
      throw validationError(
        "the 'tuple_key' field was provided but the object type field is required " +
          'and both the object id and user cannot be empty',
      );
    return all.filter(
      ({ key }) =>
        (idOf(object) === '' ? key.object.startsWith(object) : key.object === object) &&
        (relation === '' || key.relation === relation) &&
        (user === '' || key.user === user),
    );
  }

  /** All or nothing: every reason to refuse is looked for before the first tuple changes. Deletes come first. */
  write({ authorization_model_id: modelId, ...request }: WriteRequest): void {
    const model = this.model(modelId);
    const { tuple_keys: writes = [], on_duplicate: onDuplicate = '' } = request.writes ?? {};
    const { tuple_keys: deletes = [], on_missing: onMissing = '' } = request.deletes ?? {};
    if (writes.length === 0 && deletes.length === 0) {
      const message = 'Invalid input. Make sure you provide at least one write, or at least one delete';
      throw new FgaError('invalid_write_input', message);
    }
    for (const tuple of writes) assertWritable(model, tuple);
    for (const tuple of deletes) assertDeletable(tuple);
    assertDistinct([...deletes, ...writes]);
    const ignoreMissing = ignores('on_missing', onMissing);
    const ignoreDuplicates = ignores('on_duplicate', onDuplicate);
    const gone = deletes.filter(
      (key) => this.#has(key) || mayPass(ignoreMissing, 'cannot delete a tuple which does not exist', key),
    );
    const added = writes.filter(
      (key) => !this.#has(key) || mayPass(ignoreDuplicates, 'cannot write a tuple which already exists', key),
    );
    const timestamp = new Date().toISOString();
    for (const key of gone) {
      this.#tuples.delete(formatTuple(key));
      this.#users.get(`${key.object}#${key.relation}`)?.delete(key.user);
    }
    for (const { user, relation, object } of added) {
      const key = { user, relation, object };
      this.#tuples.set(formatTuple(key), { key, timestamp });
      const users = this.#users.get(`${object}#${relation}`) ?? new Set();
      this.#users.set(`${object}#${relation}`, users.add(user));
    }
  }

  #has(key: TupleKey): boolean {
    return this.#tuples.has(formatTuple(key));
  }
}

function assertDistinct(tuples: readonly TupleKey[]): void {
  const seen = new Set<string>();
  for (const tuple of tuples) {
    if (seen.has(formatTuple(tuple))) {
      const message = `duplicate tuple in write: ${describe(tuple)}`;
      throw new FgaError('cannot_allow_duplicate_tuples_in_one_request', message);
    }
    seen.add(formatTuple(tuple));
  }
  if (seen.size <= MAX_TUPLES_PER_WRITE) return;
  const message = `The number of write operations exceeds the allowed limit of ${MAX_TUPLES_PER_WRITE}`;
  throw new FgaError('exceeded_entity_limit', message);
}

function ignores(option: 'on_duplicate' | 'on_missing', value: string): boolean {
  if (value === 'ignore') return true;
  if (value === '' || value === 'error') return false;
  throw validationError(`invalid ${option} option: ${value}`);
}

/** Returns false, for what is left as it is; throws `fault` when that is not to be ignored. */
function mayPass(ignored: boolean, fault: string, tuple: TupleKey): false {
  if (ignored) return false;
  const summary = 'tuple to be written already existed or the tuple to be deleted did not exist';
  throw new FgaError('write_failed_due_to_invalid_input', `${fault}: ${describe(tuple)}: ${summary}`);
}

function describe({ user, relation, object }: TupleKey): string {
  return `user: '${user}', relation: '${relation}', object: '${object}'`;
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A ULID, as OpenFGA names stores and models: 48 bits of time, 80 random bits. */
export function newUlid(now: number = Date.now()): string {
  const time = Array.from({ length: 10 }, (_, place) => Math.floor(now / 32 ** (9 - place)) % 32);
  const random = Array.from({ length: 16 }, () => randomInt(32));
  return [...time, ...random].map((digit) => CROCKFORD.charAt(digit)).join('');
}

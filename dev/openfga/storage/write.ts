import { FgaError, validationError } from '../errors.ts';
import type { AuthorizationModel } from '../model/model.ts';
import { assertWritable, invalidTupleMessage, type ProposedTuple } from '../model/tuple-rules.ts';
import { formatTuple, isSelfDefining, isWellFormedUser, type TupleKey } from '../tuple.ts';
import type { TupleStore } from './tuple-store.ts';

const MAX_TUPLES_PER_WRITE = 100;

interface WriteRequest {
  readonly writes?:
    { readonly tuple_keys: readonly ProposedTuple[]; readonly on_duplicate: string } | undefined;
  readonly deletes?: { readonly tuple_keys: readonly TupleKey[]; readonly on_missing: string } | undefined;
}

/** All or nothing: every reason to refuse is looked for before the first tuple changes. */
export function write(model: AuthorizationModel, store: TupleStore, request: WriteRequest): void {
  const writes = request.writes?.tuple_keys ?? [];
  const deletes = request.deletes?.tuple_keys ?? [];
  if (writes.length === 0 && deletes.length === 0) {
    const message = 'Invalid input. Make sure you provide at least one write, or at least one delete';
    throw new FgaError('invalid_write_input', message);
  }
  for (const tuple of writes) assertWritten(model, tuple);
  for (const tuple of deletes) assertDeletable(tuple);
  assertDistinct([...deletes, ...writes]);
  const ignoreDuplicates = ignores('on_duplicate', request.writes?.on_duplicate);
  const ignoreMissing = ignores('on_missing', request.deletes?.on_missing);
  store.apply(
    deletes.filter((key) => mustDelete(store, key, ignoreMissing)),
    writes.filter((key) => mustWrite(store, key, ignoreDuplicates)).map(bareKey),
  );
}

function assertWritten(model: AuthorizationModel, tuple: ProposedTuple): void {
  assertWritable(model, tuple);
  if (isSelfDefining(tuple)) {
    throw validationError(invalidTupleMessage(tuple, 'cannot write a tuple that is implicit'));
  }
}

/** Deletes are not judged by the model, so that tuples an older model allowed can still be cleared away. */
function assertDeletable(tuple: TupleKey): void {
  if (isWellFormedUser(tuple.user)) return;
  throw validationError(invalidTupleMessage(tuple, "the 'user' field is malformed"));
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

function ignores(option: 'on_duplicate' | 'on_missing', value = ''): boolean {
  if (value === 'ignore') return true;
  if (value === '' || value === 'error') return false;
  throw validationError(`invalid ${option} option: ${value}`);
}

function mustDelete(store: TupleStore, key: TupleKey, ignoreMissing: boolean): boolean {
  if (store.has(key)) return true;
  if (ignoreMissing) return false;
  throw writeFailed(`cannot delete a tuple which does not exist: ${describe(key)}`);
}

function mustWrite(store: TupleStore, key: TupleKey, ignoreDuplicates: boolean): boolean {
  if (!store.has(key)) return true;
  if (ignoreDuplicates) return false;
  throw writeFailed(`cannot write a tuple which already exists: ${describe(key)}`);
}

function writeFailed(message: string): FgaError {
  const summary = 'tuple to be written already existed or the tuple to be deleted did not exist';
  return new FgaError('write_failed_due_to_invalid_input', `${message}: ${summary}`);
}

function describe({ user, relation, object }: TupleKey): string {
  return `user: '${user}', relation: '${relation}', object: '${object}'`;
}

function bareKey({ user, relation, object }: ProposedTuple): TupleKey {
  return { user, relation, object };
}

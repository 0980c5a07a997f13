import { FgaError, validationError } from '../errors.ts';
import { idOf, typeOf, type TupleKey } from '../tuple.ts';
import { decodeToken, encodeToken, pageOf } from './paging.ts';
import type { StoredTuple, TupleStore } from './tuple-store.ts';

interface ReadRequest {
  readonly tuple_key?: TupleKey | undefined;
  readonly page_size: number;
  readonly continuation_token: string;
}

/** The stored tuples, all or those of a pattern; empty fields match anything, `doc:` any object of the type. */
export function read(store: TupleStore, request: ReadRequest): object {
  const pattern = request.tuple_key;
  if (pattern !== undefined) assertPattern(pattern);
  const { offset } = decodeToken(request.continuation_token);
  const matching = [...store.all()].filter(({ key }) => pattern === undefined || matches(pattern, key));
  const page = pageOf(matching, offset, request.page_size);
  return {
    tuples: page.items.map(encodeTuple),
    continuation_token: page.more ? encodeToken(page.next) : '',
  };
}

function assertPattern({ object, user }: TupleKey): void {
  if (typeOf(object) !== '' && (idOf(object) !== '' || user !== '')) return;
  throw validationError(
    "the 'tuple_key' field was provided but the object type field is required " +
      'and both the object id and user cannot be empty',
  );
}

function matches(pattern: TupleKey, key: TupleKey): boolean {
  const objectMatches =
    idOf(pattern.object) === '' ? key.object.startsWith(pattern.object) : key.object === pattern.object;
  return (
    objectMatches &&
    (pattern.relation === '' || key.relation === pattern.relation) &&
    (pattern.user === '' || key.user === pattern.user)
  );
}

interface ChangesRequest {
  readonly type: string;
  readonly page_size: number;
  readonly continuation_token: string;
  readonly start_time?: number | undefined;
}

/** The change log, oldest first. At its end the token stays the same, so that a follower can ask again with it. */
export function readChanges(store: TupleStore, request: ChangesRequest): object {
  const { offset, filter } = decodeToken(request.continuation_token);
  if (request.continuation_token !== '' && filter !== request.type) {
    const message = "The type in the querystring and the continuation token don't match";
    throw new FgaError('query_string_type_continuation_token_mismatch', message);
  }
  const since = request.start_time ?? 0;
  const matching = store
    .changes()
    .filter(({ key }) => request.type === '' || typeOf(key.object) === request.type);
  const start = request.continuation_token === '' ? firstSince(matching, since) : offset;
  const page = pageOf(matching, start, request.page_size);
  return {
    changes: page.items.map(({ operation, timestamp, key }) => ({
      tuple_key: { ...key, condition: null },
      operation,
      timestamp,
    })),
    continuation_token:
      page.items.length === 0 ? request.continuation_token : encodeToken(page.next, request.type),
  };
}

function firstSince(changes: readonly StoredTuple[], since: number): number {
  const index = changes.findIndex(({ timestamp }) => Date.parse(timestamp) >= since);
  return index === -1 ? changes.length : index;
}

function encodeTuple({ key, timestamp }: StoredTuple): object {
  return { key: { ...key, condition: null }, timestamp };
}

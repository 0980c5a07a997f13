import { unsupported, validationError } from './faults.ts';
import type { AuthorizationModel } from './model.ts';

/** The three strings of a relationship tuple and their grammar. */
export interface TupleKey {
  readonly user: string;
  readonly relation: string;
  readonly object: string;
}

/** A user taken apart: `user:anne`, `user:*` or `group:eng#member`. */
export interface Subject {
  readonly type: string;
  readonly id: string;
  readonly object: string;
  readonly relation: string | undefined;
}

const OBJECT = /^[^:# \p{Cc}]+:[^:# \p{Cc}]+$/u;
const USERSET = /^[^:# \p{Cc}]+:[^:#* \p{Cc}]+#[^:#* \p{Cc}]+$/u;
const BARE_ID = /^[^:# \p{Cc}]+$/u;
const RELATION = /^[^:#@ \p{Cc}]+$/u;

export function isObject(text: string): boolean {
  return OBJECT.test(text);
}

export function isUserset(text: string): boolean {
  return USERSET.test(text);
}

/** Bare ids are well-formed, though no schema 1.1 model admits them; OpenFGA refuses the two in different words. */
export function isWellFormedUser(text: string): boolean {
  return BARE_ID.test(text) || isObject(text) || isUserset(text);
}

export function isWellFormedRelation(text: string): boolean {
  return RELATION.test(text);
}

export function typeOf(object: string): string {
  return object.includes(':') ? object.slice(0, object.indexOf(':')) : '';
}

export function idOf(object: string): string {
  return object.slice(object.indexOf(':') + 1);
}

export function isTypedWildcard(user: string): boolean {
  return typeOf(user) !== '' && idOf(user) === '*';
}

export function subjectOf(user: string): Subject {
  const hash = user.lastIndexOf('#');
  const object = hash === -1 ? user : user.slice(0, hash);
  const relation = hash === -1 ? undefined : user.slice(hash + 1);
  return { type: typeOf(object), id: idOf(object), object, relation };
}

export function formatTuple({ user, relation, object }: TupleKey): string {
  return `${object}#${relation}@${user}`;
}

/** Why the user, the object or the relation of a question is not one of the model; undefined = it is. */
export function faultOfQuestion(model: AuthorizationModel, key: TupleKey): string | undefined {
  return faultOfUser(model, key.user) ?? faultOfObject(model, key.object) ?? faultOfRelation(model, key);
}

function faultOfUser(model: AuthorizationModel, user: string): string | undefined {
  if (!isWellFormedUser(user)) return "the 'user' field is malformed";
  if (!isObject(user) && !isUserset(user)) {
    return (
      "the 'user' field must be an object (e.g. document:1) or an 'object#relation' " +
      'or a typed wildcard (e.g. group:*)'
    );
  }
  const { type, relation } = subjectOf(user);
  if (!model.types.has(type)) return `type '${type}' not found`;
  if (relation === undefined || model.relation(type, relation) !== undefined) return undefined;
  return `relation '${type}#${relation}' not found`;
}

function faultOfObject(model: AuthorizationModel, object: string): string | undefined {
  if (!isObject(object)) return "invalid 'object' field format";
  if (isTypedWildcard(object)) return "the 'object' field cannot reference a typed wildcard";
  return model.types.has(typeOf(object)) ? undefined : `type '${typeOf(object)}' not found`;
}

function faultOfRelation(model: AuthorizationModel, { object, relation }: TupleKey): string | undefined {
  if (!isWellFormedRelation(relation)) return "the 'relation' field is malformed";
  if (model.relation(typeOf(object), relation) !== undefined) return undefined;
  return `relation '${typeOf(object)}#${relation}' not found`;
}

/**
 * Why a tuple may not count under the model. Asked again at every read: a newer model may have dropped what an older
 * one allowed, and such tuples stay stored but are as good as absent.
 */
export function faultOfStoredTuple(model: AuthorizationModel, key: TupleKey): string | undefined {
  const type = typeOf(key.object);
  const target = `${type}#${key.relation}`;
  const relation = model.relation(type, key.relation);
  if (relation === undefined) return `relation '${target}' not found`;
  if (model.isTupleset(type, key.relation)) {
    if (isTypedWildcard(key.user))
      return `unexpected wildcard relationship with tupleset relation '${target}'`;
    if (!isObject(key.user)) return `unexpected user '${key.user}' with tupleset relation '${target}'`;
  }
  const user = subjectOf(key.user);
  const wildcard = isTypedWildcard(key.user);
  const admitted = relation.restrictions.some(
    (each) =>
      each.type === user.type &&
      each.relation === user.relation &&
      (each.wildcard !== undefined) === (wildcard && user.relation === undefined),
  );
  if (admitted) return undefined;
  if (wildcard) return `the typed wildcard '${key.user}' is not an allowed type restriction for '${target}'`;
  const named = user.relation === undefined ? `type '${user.type}'` : `'${user.type}#${user.relation}'`;
  return `${named} is not an allowed type restriction for '${target}'`;
}

/** Throws the reason why a tuple may not be written. */
export function assertWritable(
  model: AuthorizationModel,
  tuple: TupleKey & { readonly condition?: object | undefined },
): void {
  if (tuple.condition !== undefined) throw unsupported('conditions');
  // `group:eng#member` is a member of `group:eng` without being written.
  const implicit = tuple.user === `${tuple.object}#${tuple.relation}`;
  const reason =
    faultOfQuestion(model, tuple) ??
    faultOfStoredTuple(model, tuple) ??
    (implicit ? 'cannot write a tuple that is implicit' : undefined);
  if (reason !== undefined) throw invalidTuple(tuple, reason);
}

/** Deletes are not judged by the model, so that tuples an older model allowed can still be cleared away. */
export function assertDeletable(tuple: TupleKey): void {
  if (!isWellFormedUser(tuple.user)) throw invalidTuple(tuple, "the 'user' field is malformed");
}

function invalidTuple(tuple: TupleKey, reason: string): Error {
  return validationError(`Invalid tuple '${formatTuple(tuple)}'. Reason: ${reason}`);
}

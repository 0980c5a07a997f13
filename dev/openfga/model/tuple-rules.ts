import { conditionsUnsupported, FgaError, validationError } from '../errors.ts';
import {
  formatTuple,
  isObject,
  isTypedWildcard,
  isUserset,
  isWellFormedRelation,
  isWellFormedUser,
  parseSubject,
  typeOf,
  type TupleKey,
} from '../tuple.ts';
import type { AuthorizationModel } from './model.ts';
import type { TypeRestriction } from './types.ts';

/** A tuple as a request brings it; a condition is recognised so that it can be refused by name. */
export interface ProposedTuple extends TupleKey {
  readonly condition?: object | undefined;
}

/** Why the user, the object or the relation of a question is not one the model knows; undefined = it is. */
export function faultOfQuestion(model: AuthorizationModel, key: TupleKey): string | undefined {
  return faultOfUser(model, key.user) ?? faultOfObject(model, key.object) ?? faultOfRelation(model, key);
}

export function faultOfUser(model: AuthorizationModel, user: string): string | undefined {
  if (!isWellFormedUser(user)) return "the 'user' field is malformed";
  if (!isObject(user) && !isUserset(user)) {
    return (
      "the 'user' field must be an object (e.g. document:1) or an 'object#relation' " +
      'or a typed wildcard (e.g. group:*)'
    );
  }
  const { type, relation } = parseSubject(user);
  if (!model.hasType(type)) return `type '${type}' not found`;
  if (relation !== undefined && model.relation(type, relation) === undefined) {
    return `relation '${type}#${relation}' not found`;
  }
  return undefined;
}

export function faultOfObject(model: AuthorizationModel, object: string): string | undefined {
  if (!isObject(object)) return "invalid 'object' field format";
  if (isTypedWildcard(object)) return "the 'object' field cannot reference a typed wildcard";
  return model.hasType(typeOf(object)) ? undefined : `type '${typeOf(object)}' not found`;
}

export function faultOfRelation(
  model: AuthorizationModel,
  { object, relation }: Pick<TupleKey, 'object' | 'relation'>,
): string | undefined {
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
  return admits(relation.restrictions, key.user) ? undefined : notAllowed(key.user, target);
}

/** Why a tuple may not be written, or be brought along by a question. */
export function faultOfProposedTuple(model: AuthorizationModel, tuple: ProposedTuple): string | undefined {
  if (tuple.condition !== undefined) throw conditionsUnsupported();
  return faultOfQuestion(model, tuple) ?? faultOfStoredTuple(model, tuple);
}

export function invalidTupleMessage(tuple: TupleKey, reason: string): string {
  return `Invalid tuple '${formatTuple(tuple)}'. Reason: ${reason}`;
}

/** Contextual tuples are judged like writes, but answered with a code of their own. */
export function assertContextualTuples(model: AuthorizationModel, tuples: readonly ProposedTuple[]): void {
  for (const tuple of tuples) {
    const reason = faultOfProposedTuple(model, tuple);
    if (reason !== undefined) throw new FgaError('invalid_tuple', invalidTupleMessage(tuple, reason));
  }
}

export function assertWritable(model: AuthorizationModel, tuple: ProposedTuple): void {
  const reason = faultOfProposedTuple(model, tuple);
  if (reason !== undefined) throw validationError(invalidTupleMessage(tuple, reason));
}

function admits(restrictions: readonly TypeRestriction[], user: string): boolean {
  const { type, relation } = parseSubject(user);
  const wildcard = isTypedWildcard(user);
  return restrictions.some((restriction) => {
    if (restriction.type !== type) return false;
    if (restriction.kind === 'userset') return restriction.relation === relation;
    return relation === undefined && (restriction.kind === 'wildcard') === wildcard;
  });
}

function notAllowed(user: string, target: string): string {
  const { type, relation } = parseSubject(user);
  if (relation !== undefined)
    return `'${type}#${relation}' is not an allowed type restriction for '${target}'`;
  if (isTypedWildcard(user))
    return `the typed wildcard '${user}' is not an allowed type restriction for '${target}'`;
  return `type '${type}' is not an allowed type restriction for '${target}'`;
}

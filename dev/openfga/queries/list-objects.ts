import { relationNotFound, resolutionTooComplex, typeNotFound, validationError } from '../errors.ts';
import type { AuthorizationModel } from '../model/model.ts';
import { assertContextualTuples, faultOfUser, type ProposedTuple } from '../model/tuple-rules.ts';
import type { TupleStore } from '../storage/tuple-store.ts';
import { TupleView } from '../storage/tuple-view.ts';
import { splitUserset, typeOf } from '../tuple.ts';
import { MAX_RESOLUTION_DEPTH, Resolver } from './resolve.ts';

const MAX_RESULTS = 1000;

interface ListObjectsQuestion {
  readonly type: string;
  readonly relation: string;
  readonly user: string;
  readonly contextual: readonly ProposedTuple[];
}

/**
 * OpenFGA walks backwards from the user, without a bound, and confirms by a check what passed an intersection or an
 * exclusion. Asking about every object that has a tuple, optimistically first, comes to the same objects and faults.
 */
export function listObjects(
  model: AuthorizationModel,
  store: TupleStore,
  question: ListObjectsQuestion,
): readonly string[] {
  assertListable(model, question);
  const view = new TupleView(model, store, question.contextual);
  const walk = new Resolver(view, question.user, { maxDepth: Infinity, optimistic: true });
  const confirmation = new Resolver(view, question.user, { maxDepth: MAX_RESOLUTION_DEPTH - 1 });
  const mustConfirm = model.involvesSetOperation(question.type, question.relation);
  const found: string[] = [];
  for (const object of candidates(view, question)) {
    if (walk.resolve(object, question.relation) !== 'allowed') continue;
    if (mustConfirm && !confirm(confirmation, object, question.relation)) continue;
    found.push(object);
    if (found.length === MAX_RESULTS) break;
  }
  return found;
}

function confirm(resolver: Resolver, object: string, relation: string): boolean {
  const outcome = resolver.resolve(object, relation);
  if (outcome === 'too_deep') throw resolutionTooComplex();
  return outcome === 'allowed';
}

function assertListable(
  model: AuthorizationModel,
  { type, relation, user, contextual }: ListObjectsQuestion,
): void {
  assertContextualTuples(model, contextual);
  assertRelation(model, type, relation);
  const reason = faultOfUser(model, user);
  if (reason !== undefined) throw validationError(`invalid 'user' value: ${reason}`);
}

export function assertRelation(model: AuthorizationModel, type: string, relation: string): void {
  if (!model.hasType(type)) throw typeNotFound(type);
  if (model.relation(type, relation) === undefined) throw relationNotFound(type, relation);
}

/** A userset is related to its own object without any tuple: `group:eng#member` is a member of `group:eng`. */
function candidates(view: TupleView, { type, user }: ListObjectsQuestion): readonly string[] {
  const own = splitUserset(user).object;
  return [...new Set([...view.objects(), own])].filter(
    (object) => typeOf(object) === type && !object.endsWith(':*'),
  );
}

import {
  FgaError,
  relationNotFound,
  resolutionTooComplex,
  typeNotFound,
  validationError,
} from '../errors.ts';
import type { AuthorizationModel } from '../model/model.ts';
import { assertContextualTuples, faultOfUser, type ProposedTuple } from '../model/tuple-rules.ts';
import type { TupleStore } from '../storage/tuple-store.ts';
import { TupleView } from '../storage/tuple-view.ts';
import { splitUserset, typeOf } from '../tuple.ts';
import { Deadline } from './deadline.ts';
import { Resolver } from './resolve.ts';

const MAX_RESULTS = 1000;

interface ListObjectsQuestion {
  readonly type: string;
  readonly relation: string;
  readonly user: string;
  readonly contextual: readonly ProposedTuple[];
}

/** OpenFGA walks backwards from the user; asking about every object that has a tuple comes to the same objects. */
export function listObjects(
  model: AuthorizationModel,
  store: TupleStore,
  question: ListObjectsQuestion,
): readonly string[] {
  assertListable(model, question);
  const { user, relation } = question;
  const view = new TupleView(model, store, question.contextual);
  const resolver = new Resolver(view, user, { maxDepth: Infinity });
  const deadline = new Deadline();
  const found: string[] = [];
  for (const object of candidates(view, question)) {
    if (deadline.passed) break;
    if (!allows(resolver, object, relation)) continue;
    if (model.recursion.throughSetOperation) assertWithinBounds(view, user, object, relation);
    found.push(object);
    if (found.length === MAX_RESULTS) break;
  }
  return found;
}

/** A listing that runs out of time shows what it found until then. */
function allows(resolver: Resolver, object: string, relation: string): boolean {
  try {
    return resolver.resolve(object, relation) === 'allowed';
  } catch (error) {
    if (error instanceof FgaError && error.code === 'deadline_exceeded') return false;
    throw error;
  }
}

/** The walk backwards has no bound, unless the model makes the real server take its older way. */
function assertWithinBounds(view: TupleView, user: string, object: string, relation: string): void {
  const outcome = new Resolver(view, user, { walk: true }).resolve(object, relation);
  if (outcome === 'too_deep') throw resolutionTooComplex();
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

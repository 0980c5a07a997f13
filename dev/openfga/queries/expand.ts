import { FgaError, validationError } from '../errors.ts';
import type { AuthorizationModel } from '../model/model.ts';
import {
  assertContextualTuples,
  faultOfObject,
  faultOfRelation,
  type ProposedTuple,
} from '../model/tuple-rules.ts';
import type { Rewrite } from '../model/types.ts';
import type { TupleStore } from '../storage/tuple-store.ts';
import { TupleView } from '../storage/tuple-view.ts';
import { typeOf } from '../tuple.ts';

interface Target {
  readonly object: string;
  readonly relation: string;
}

/** One level of the tree: what the relation is made of, usersets named but not followed. */
export function expand(
  model: AuthorizationModel,
  store: TupleStore,
  target: Target,
  contextual: readonly ProposedTuple[],
): object {
  if (target.object === '' || target.relation === '') {
    const message = 'Invalid input. Make sure you provide an object and a relation';
    throw new FgaError('invalid_expand_input', message);
  }
  assertContextualTuples(model, contextual);
  const reason = faultOfObject(model, target.object) ?? faultOfRelation(model, target);
  if (reason !== undefined) throw validationError(reason);
  const view = new TupleView(model, store, contextual);
  const rewrite = model.relation(typeOf(target.object), target.relation)?.rewrite;
  return { root: nodeOf(view, target, rewrite ?? { kind: 'this' }) };
}

function nodeOf(view: TupleView, target: Target, rewrite: Rewrite): object {
  return { name: nameOf(target), ...valueOf(view, target, rewrite) };
}

function valueOf(view: TupleView, target: Target, rewrite: Rewrite): object {
  const child = (operand: Rewrite): object => nodeOf(view, target, operand);
  switch (rewrite.kind) {
    case 'undefined_rewrite':
    case 'this':
      return { leaf: { users: { users: [...view.usersOf(target.object, target.relation)].toSorted() } } };
    case 'computed':
      return { leaf: { computed: { userset: nameOf({ ...target, relation: rewrite.relation }) } } };
    case 'tuple_to_userset':
      return { leaf: { tupleToUserset: parentsOf(view, target.object, rewrite.tupleset, rewrite.computed) } };
    case 'union':
    case 'intersection':
      return { [rewrite.kind]: { nodes: rewrite.children.map(child) } };
    case 'difference':
      return { difference: { base: child(rewrite.base), subtract: child(rewrite.subtract) } };
  }
}

function parentsOf(view: TupleView, object: string, tupleset: string, computed: string): object {
  const parents = [...view.usersOf(object, tupleset)];
  return {
    tupleset: nameOf({ object, relation: tupleset }),
    computed: parents.map((parent) => ({ userset: nameOf({ object: parent, relation: computed }) })),
  };
}

function nameOf({ object, relation }: Target): string {
  return `${object}#${relation}`;
}

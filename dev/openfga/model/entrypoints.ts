import { FgaError } from '../errors.ts';
import type { AuthorizationModel } from './model.ts';
import { operandsOf, type Relation, type Rewrite, type TypeRestriction } from './types.ts';

/**
 * The relations (`type#relation`) some concrete user, or `type:*`, can come to hold. A relation that leads only back
 * to itself is not among them. Found by adding until nothing changes, because relations refer to each other freely.
 */
export function relationsWithEntrypoint(model: AuthorizationModel): ReadonlySet<string> {
  const found = new Set<string>();
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const type of model.definition.types) {
      for (const relation of type.relations.values()) {
        if (lets(model, found, type.name, relation, relation.rewrite))
          found.add(`${type.name}#${relation.name}`);
      }
    }
  }
  return found;
}

function lets(
  model: AuthorizationModel,
  found: ReadonlySet<string>,
  type: string,
  relation: Relation,
  rewrite: Rewrite,
): boolean {
  const recurse = (operand: Rewrite): boolean => lets(model, found, type, relation, operand);
  switch (rewrite.kind) {
    case 'undefined_rewrite':
      return false;
    case 'this':
      return relation.restrictions.some((restriction) => letsIn(found, restriction));
    case 'computed':
      return found.has(`${type}#${rewrite.relation}`);
    case 'tuple_to_userset': {
      const parents = model.relation(type, rewrite.tupleset)?.restrictions ?? [];
      return parents.some((parent) => found.has(`${parent.type}#${rewrite.computed}`));
    }
    case 'union':
      return rewrite.children.some(recurse);
    case 'intersection':
      return rewrite.children.every(recurse);
    case 'difference':
      return recurse(rewrite.base) && recurse(rewrite.subtract);
  }
}

function letsIn(found: ReadonlySet<string>, restriction: TypeRestriction): boolean {
  return restriction.kind !== 'userset' || found.has(`${restriction.type}#${restriction.relation}`);
}

export function assertEntrypoint(
  model: AuthorizationModel,
  withEntrypoint: ReadonlySet<string>,
  type: string,
  relation: Relation,
): void {
  if (withEntrypoint.has(`${type}#${relation.name}`)) return;
  // Of operands that must all let someone in, the first that does not is what the refusal speaks of.
  const decisive: Walk = (owner, rewrite) =>
    rewrite.kind === 'union'
      ? rewrite.children
      : operandsOf(rewrite)
          .filter((operand) => !lets(model, withEntrypoint, type, owner, operand))
          .slice(0, 1);
  const loops = entersLoop(model, type, relation, relation.rewrite, decisive, new Set([relation.name]));
  throw invalid(type, relation.name, loops ? 'potential loop' : 'no entrypoints defined');
}

/** Refuses relations that define each other through nothing but rewrites of the same object. */
export function assertNoComputedCycle(model: AuthorizationModel, type: string, relation: Relation): void {
  const all: Walk = (_owner, rewrite) => operandsOf(rewrite);
  if (!entersLoop(model, type, relation, relation.rewrite, all, new Set([relation.name]))) return;
  throw invalid(type, relation.name, 'an authorization model cannot contain a cycle');
}

/** Which operands of a rewrite to follow. */
type Walk = (owner: Relation, rewrite: Rewrite) => readonly Rewrite[];

/** Whether computed relations of one type lead back to a relation on the path. */
function entersLoop(
  model: AuthorizationModel,
  type: string,
  owner: Relation,
  rewrite: Rewrite,
  walk: Walk,
  path: ReadonlySet<string>,
): boolean {
  if (rewrite.kind !== 'computed') {
    return walk(owner, rewrite).some((operand) => entersLoop(model, type, owner, operand, walk, path));
  }
  if (path.has(rewrite.relation)) return true;
  const next = model.relation(type, rewrite.relation);
  if (next === undefined) return false;
  return entersLoop(model, type, next, next.rewrite, walk, new Set([...path, next.name]));
}

function invalid(type: string, relation: string, cause: string): FgaError {
  return new FgaError(
    'invalid_authorization_model',
    `the definition of relation '${relation}' in object type '${type}' is invalid: ${cause}`,
  );
}

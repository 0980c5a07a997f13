import { FgaError } from '../errors.ts';
import type { AuthorizationModel } from './model.ts';
import type { Relation, Rewrite, TypeRestriction } from './types.ts';

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
  const loops = entersLoop(model, type, relation.rewrite, new Set([relation.name]));
  throw invalid(type, relation.name, loops ? 'potential loop' : 'no entrypoints defined');
}

/** Refuses relations that define each other through nothing but rewrites of the same object. */
export function assertNoComputedCycle(model: AuthorizationModel, type: string, relation: Relation): void {
  if (!entersLoop(model, type, relation.rewrite, new Set([relation.name]))) return;
  throw invalid(type, relation.name, 'an authorization model cannot contain a cycle');
}

/** Whether computed relations of one type lead back to a relation on the path. */
function entersLoop(
  model: AuthorizationModel,
  type: string,
  rewrite: Rewrite,
  path: ReadonlySet<string>,
): boolean {
  switch (rewrite.kind) {
    case 'computed': {
      if (path.has(rewrite.relation)) return true;
      const next = model.relation(type, rewrite.relation)?.rewrite;
      return next !== undefined && entersLoop(model, type, next, new Set([...path, rewrite.relation]));
    }
    case 'union':
    case 'intersection':
      return rewrite.children.some((child) => entersLoop(model, type, child, path));
    case 'difference':
      return [rewrite.base, rewrite.subtract].some((operand) => entersLoop(model, type, operand, path));
    case 'undefined_rewrite':
    case 'this':
    case 'tuple_to_userset':
      return false;
  }
}

function invalid(type: string, relation: string, cause: string): FgaError {
  return new FgaError(
    'invalid_authorization_model',
    `the definition of relation '${relation}' in object type '${type}' is invalid: ${cause}`,
  );
}

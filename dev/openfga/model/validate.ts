import { FgaError } from '../errors.ts';
import { AuthorizationModel } from './model.ts';
import { assertEntrypoint, assertNoComputedCycle, relationsWithEntrypoint } from './entrypoints.ts';
import {
  leavesOf,
  operandsOf,
  type ModelDefinition,
  type Relation,
  type Rewrite,
  type TypeRestriction,
} from './types.ts';

function invalidModel(message: string): FgaError {
  return new FgaError('invalid_authorization_model', message);
}

/** Refuses what OpenFGA refuses, in its order: types and relations by name, so that the first fault is the same. */
export function assertValidModel(definition: ModelDefinition): void {
  if (definition.schemaVersion === '1.0') throw invalidModel('invalid schema version');
  assertNames(definition);
  const model = new AuthorizationModel('', definition);
  const withEntrypoint = relationsWithEntrypoint(model);
  for (const type of sortedByName(definition.types)) {
    for (const relation of sortedByName([...type.relations.values()])) {
      assertRewrite(model, type.name, relation.name, relation.rewrite);
      assertRestrictions(model, type.name, relation);
      for (const rewrite of everyRewrite(relation.rewrite)) assertOperands(type.name, relation.name, rewrite);
      assertEntrypoint(model, withEntrypoint, type.name, relation);
      assertNoComputedCycle(model, type.name, relation);
    }
  }
}

function assertNames({ types }: ModelDefinition): void {
  if (new Set(types.map(({ name }) => name)).size !== types.length) {
    throw invalidModel('an authorization model cannot contain duplicate types');
  }
  for (const { name, relations } of types) {
    if (isReserved(name)) throw invalidModel(`the definition of type '${name}' is invalid`);
    for (const relation of relations.keys()) {
      if (relation === '')
        throw invalidModel(`type '${name}' defines a relation with an empty string for a name`);
      if (isReserved(relation)) throw invalidRelation(name, relation, 'self and this are reserved keywords');
    }
  }
}

function assertRewrite(model: AuthorizationModel, type: string, relation: string, rewrite: Rewrite): void {
  switch (rewrite.kind) {
    case 'undefined_rewrite':
      throw invalidRelation(type, relation, 'invalid userset rewrite definition');
    case 'computed':
      if (rewrite.relation === relation) {
        throw invalidRelation(type, relation, 'invalid userset rewrite definition');
      }
      if (model.relation(type, rewrite.relation) === undefined)
        throw undefinedRelation(type, rewrite.relation);
      return;
    case 'tuple_to_userset':
      assertTupleToUserset(model, type, rewrite.tupleset, rewrite.computed);
      return;
    default:
      for (const operand of operandsOf(rewrite)) assertRewrite(model, type, relation, operand);
  }
}

function assertTupleToUserset(
  model: AuthorizationModel,
  type: string,
  tupleset: string,
  computed: string,
): void {
  const parents = model.relation(type, tupleset);
  if (parents === undefined) throw undefinedRelation(type, tupleset);
  if (parents.rewrite.kind !== 'this') {
    throw invalidModel(
      `the '${type}#${tupleset}' relation is referenced in at least one tupleset and thus must be a direct relation`,
    );
  }
  if (!parents.restrictions.some((parent) => model.relation(parent.type, computed) !== undefined)) {
    const types = parents.restrictions.map((parent) => `type:"${parent.type}"`).join(' ');
    throw invalidModel(
      `undefined relation: ${computed} does not appear as a relation in any of the directly related user types [${types}]`,
    );
  }
}

function assertRestrictions(model: AuthorizationModel, type: string, relation: Relation): void {
  const assignable = leavesOf(relation.rewrite).some((leaf) => leaf.kind === 'this');
  const named = `assignable relation '${relation.name}' in object type '${type}'`;
  if (assignable && relation.restrictions.length === 0) {
    throw invalidModel(`the ${named} must contain at least one relation type`);
  }
  if (!assignable && relation.restrictions.length > 0) {
    throw invalidModel(`the non-${named} should not contain a relation type`);
  }
  const isTupleset = model.isTupleset(type, relation.name);
  for (const restriction of relation.restrictions) {
    if (isDefined(model, restriction) && (restriction.kind === 'object' || !isTupleset)) continue;
    const target =
      restriction.kind === 'userset' ? `${restriction.type}#${restriction.relation}` : restriction.type;
    throw invalidModel(
      `the relation type '${target}' on '${relation.name}' in object type '${type}' is not valid`,
    );
  }
}

function assertOperands(type: string, relation: string, rewrite: Rewrite): void {
  if (rewrite.kind !== 'union' && rewrite.kind !== 'intersection') return;
  if (rewrite.children.length >= 2) return;
  throw invalidModel(`invalid relation: '${type}#${relation}' as ${rewrite.kind} has less than 2 children`);
}

function isDefined(model: AuthorizationModel, restriction: TypeRestriction): boolean {
  if (restriction.kind !== 'userset') return model.hasType(restriction.type);
  return model.relation(restriction.type, restriction.relation) !== undefined;
}

function everyRewrite(rewrite: Rewrite): readonly Rewrite[] {
  return [rewrite, ...operandsOf(rewrite).flatMap(everyRewrite)];
}

function isReserved(name: string): boolean {
  return name === 'self' || name === 'this';
}

function invalidRelation(type: string, relation: string, cause: string): FgaError {
  return invalidModel(
    `the definition of relation '${relation}' in object type '${type}' is invalid: ${cause}`,
  );
}

function undefinedRelation(type: string, relation: string): FgaError {
  return invalidModel(`'${type}#${relation}' relation is undefined`);
}

function sortedByName<T extends { readonly name: string }>(items: readonly T[]): readonly T[] {
  return items.toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
}

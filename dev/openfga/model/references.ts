import type { AuthorizationModel } from './model.ts';
import { leavesOf, type Relation, type Rewrite } from './types.ts';

/** One relation that another is made of. */
export interface Reference {
  readonly type: string;
  readonly relation: string;
  /** How tuples lead there; undefined = not at all, it is a relation of the same object. */
  readonly hop:
    { readonly kind: 'userset' } | { readonly kind: 'parent'; readonly tupleset: string } | undefined;
  /** Part of an intersection or an exclusion. */
  readonly conditional: boolean;
}

export function keyOf({ type, relation }: { readonly type: string; readonly relation: string }): string {
  return `${type}#${relation}`;
}

export function referencesOf(
  model: AuthorizationModel,
  type: string,
  relation: Relation,
): readonly Reference[] {
  return conditionsOf(relation.rewrite).flatMap(({ leaf, conditional }) =>
    referencesOfLeaf(model, type, relation, leaf).map((reference) => ({ ...reference, conditional })),
  );
}

function referencesOfLeaf(
  model: AuthorizationModel,
  type: string,
  relation: Relation,
  leaf: Rewrite,
): readonly Omit<Reference, 'conditional'>[] {
  switch (leaf.kind) {
    case 'computed':
      return [{ type, relation: leaf.relation, hop: undefined }];
    case 'tuple_to_userset': {
      const parents = model.relation(type, leaf.tupleset)?.restrictions ?? [];
      return parents
        .filter((parent) => model.relation(parent.type, leaf.computed) !== undefined)
        .map((parent) => ({
          type: parent.type,
          relation: leaf.computed,
          hop: { kind: 'parent', tupleset: leaf.tupleset },
        }));
    }
    default:
      return relation.restrictions.flatMap((restriction) =>
        restriction.kind === 'userset'
          ? [{ type: restriction.type, relation: restriction.relation, hop: { kind: 'userset' } }]
          : [],
      );
  }
}

function conditionsOf(rewrite: Rewrite): readonly { leaf: Rewrite; conditional: boolean }[] {
  if (rewrite.kind === 'union') return rewrite.children.flatMap(conditionsOf);
  const conditional = rewrite.kind === 'intersection' || rewrite.kind === 'difference';
  return leavesOf(rewrite).map((leaf) => ({ leaf, conditional }));
}

/** What a relation may be assigned to directly: `[user, user:*, group#member]`. */
export type TypeRestriction =
  | { readonly kind: 'object'; readonly type: string }
  | { readonly kind: 'wildcard'; readonly type: string }
  | { readonly kind: 'userset'; readonly type: string; readonly relation: string };

/** How a relation is computed. `undefined_rewrite` is what an empty or unknown rewrite parses to. */
export type Rewrite =
  | { readonly kind: 'undefined_rewrite' }
  | { readonly kind: 'this' }
  | { readonly kind: 'computed'; readonly relation: string }
  | { readonly kind: 'tuple_to_userset'; readonly tupleset: string; readonly computed: string }
  | { readonly kind: 'union' | 'intersection'; readonly children: readonly Rewrite[] }
  | { readonly kind: 'difference'; readonly base: Rewrite; readonly subtract: Rewrite };

export interface Relation {
  readonly name: string;
  readonly rewrite: Rewrite;
  readonly restrictions: readonly TypeRestriction[];
}

export interface TypeDefinition {
  readonly name: string;
  readonly relations: ReadonlyMap<string, Relation>;
}

/** A model as sent: not validated yet, so type names may repeat and references may dangle. */
export interface ModelDefinition {
  readonly schemaVersion: string;
  readonly types: readonly TypeDefinition[];
}

/** The operands a rewrite combines; none for the leaves. */
export function operandsOf(rewrite: Rewrite): readonly Rewrite[] {
  switch (rewrite.kind) {
    case 'union':
    case 'intersection':
      return rewrite.children;
    case 'difference':
      return [rewrite.base, rewrite.subtract];
    case 'undefined_rewrite':
    case 'this':
    case 'computed':
    case 'tuple_to_userset':
      return [];
  }
}

/** The leaves of a rewrite, left to right. */
export function leavesOf(rewrite: Rewrite): readonly Rewrite[] {
  const operands = operandsOf(rewrite);
  return operands.length === 0 ? [rewrite] : operands.flatMap(leavesOf);
}

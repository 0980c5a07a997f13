import { rewriteSchema, type AuthorizationModel } from '../../shared/authorization-models.ts';

/** Relations whose tuples give another relation: surely, or only together with what one tuple does not tell. */
export interface Sufficient {
  readonly surely: ReadonlySet<string>;
  readonly perhaps: ReadonlySet<string>;
}

/** Which tuples of a feature make `relation` hold, by the model. Without a model a relation stands for itself alone. */
export function sufficientFor(model: AuthorizationModel | undefined, relation: string): Sufficient {
  const relations = model?.type_definitions.find(({ type }) => type === 'feature')?.relations;
  if (relations?.[relation] === undefined) return { surely: new Set([relation]), perhaps: new Set() };
  const surely = new Set<string>();
  const perhaps = new Set<string>();
  const seen = new Set<string>();
  const walk = (name: string, node: unknown, sure: boolean): void => {
    const parsed = rewriteSchema.safeParse(node);
    // What is not understood counts as a way in.
    if (!parsed.success) {
      perhaps.add(name);
      return;
    }
    const { computedUserset, tupleToUserset, union, intersection, difference } = parsed.data;
    if ('this' in parsed.data && parsed.data.this !== undefined) (sure ? surely : perhaps).add(name);
    if (computedUserset !== undefined) follow(computedUserset.relation, sure);
    if (tupleToUserset !== undefined) perhaps.add(tupleToUserset.tupleset.relation);
    for (const child of union?.child ?? []) walk(name, child, sure);
    for (const child of intersection?.child ?? []) walk(name, child, false);
    if (difference !== undefined)
      for (const child of [difference.base, difference.subtract]) walk(name, child, false);
  };
  const follow = (name: string, sure: boolean): void => {
    const key = `${name}\0${sure}`;
    if (seen.has(key)) return;
    seen.add(key);
    walk(name, relations[name], sure);
  };
  follow(relation, true);
  return { surely, perhaps };
}

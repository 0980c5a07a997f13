import * as z from 'zod';

/** An authorization model in OpenFGA's JSON, without its id. */
export const authorizationModelSchema = z.object({
  schema_version: z.string(),
  type_definitions: z.array(
    z.looseObject({
      type: z.string(),
      relations: z.record(z.string(), z.unknown()).nullish(),
      metadata: z.unknown(),
    }),
  ),
  conditions: z.record(z.string(), z.unknown()).nullish(),
});

export type AuthorizationModel = z.output<typeof authorizationModelSchema>;

/** A text is no authorization model. */
export class UnusableModel extends Error {
  override readonly name = 'UnusableModel';
}

const named = z.object({ relation: z.string() });

/** One level of a rewrite: https://openfga.dev/docs/configuration-language. */
export const rewriteSchema = z.looseObject({
  this: z.unknown().optional(),
  computedUserset: named.optional(),
  tupleToUserset: z.object({ tupleset: named, computedUserset: named }).optional(),
  union: z.object({ child: z.array(z.unknown()) }).optional(),
  intersection: z.object({ child: z.array(z.unknown()) }).optional(),
  difference: z.object({ base: z.unknown(), subtract: z.unknown() }).optional(),
});

const assignable = z.looseObject({
  directly_related_user_types: z
    .array(z.looseObject({ type: z.string(), relation: z.string().nullish() }))
    .nullish(),
});
const metadataSchema = z.looseObject({ relations: z.record(z.string(), assignable.nullish()).nullish() });

/** A model's types, their relations, and whether a `user` can ever hold each. */
export type Askable = ReadonlyMap<string, ReadonlyMap<string, boolean>>;

export function askableOf(model: AuthorizationModel): Askable {
  const types = new Map(model.type_definitions.map((each) => [each.type, each]));
  const holds = (type: string, relation: string, seen: ReadonlySet<string>): boolean => {
    const key = `${type}#${relation}`;
    const definition = types.get(type);
    if (seen.has(key) || definition?.relations?.[relation] === undefined) return false;
    const direct = directTypes(definition.metadata, relation);
    const within = new Set([...seen, key]);
    const reaches = (node: unknown): boolean => {
      const parsed = rewriteSchema.safeParse(node);
      // An unknown rewrite counts as a path: it is no fault of the rule.
      if (!parsed.success) return true;
      const { computedUserset, tupleToUserset, union, intersection, difference } = parsed.data;
      if (parsed.data.this !== undefined)
        return direct.some(({ type: to, relation: of }) =>
          of == null || of === '' ? to === 'user' : holds(to, of, within),
        );
      if (computedUserset !== undefined) return holds(type, computedUserset.relation, within);
      if (tupleToUserset !== undefined)
        return directTypes(definition.metadata, tupleToUserset.tupleset.relation).some(({ type: to }) =>
          holds(to, tupleToUserset.computedUserset.relation, within),
        );
      if (intersection !== undefined) return intersection.child.every(reaches);
      if (difference !== undefined) return reaches(difference.base);
      return union === undefined || union.child.some(reaches);
    };
    return reaches(definition.relations[relation]);
  };
  return new Map(
    [...types].map(([type, { relations }]) => [
      type,
      new Map(Object.keys(relations ?? {}).map((relation) => [relation, holds(type, relation, new Set())])),
    ]),
  );
}

function directTypes(metadata: unknown, relation: string) {
  return metadataSchema.safeParse(metadata).data?.relations?.[relation]?.directly_related_user_types ?? [];
}

/** The models of one store, append-only. Throws `RelationsUnavailable`. */
export interface AuthorizationModels {
  latest(): Promise<{ readonly id: string; readonly model: AuthorizationModel } | undefined>;
  /** The model of checks: the pinned one, or the latest. */
  served(): Promise<{ readonly id: string; readonly model: AuthorizationModel } | undefined>;
  /** Returns the new model's id. */
  write(model: AuthorizationModel): Promise<string>;
}

/** The stores of one OpenFGA server. Throws `RelationsUnavailable`. */
export interface AuthorizationStores {
  /** Ids of all stores of exactly this name: OpenFGA lets several share one. */
  named(name: string): Promise<readonly string[]>;
  exists(id: string): Promise<boolean>;
  /** Returns the new store's id. */
  create(name: string): Promise<string>;
  models(storeId: string): AuthorizationModels;
}

import { validator } from '@openfga/syntax-transformer';
import * as z from 'zod';
import { FgaError, unsupported } from './faults.ts';
import { messageOf } from '../../shared/errors.ts';

const MAX_TYPES = 100;

const text = z.string().default('');
const reference = z.object({ object: text, relation: text });

/** How a relation comes about, in OpenFGA's JSON: exactly one of these is set. */
export interface Userset {
  readonly this?: object;
  readonly computedUserset?: z.output<typeof reference>;
  readonly tupleToUserset?: z.output<typeof fromParent>;
  readonly union?: { readonly child: Userset[] };
  readonly intersection?: { readonly child: Userset[] };
  readonly difference?: { readonly base: Userset; readonly subtract: Userset };
}

const fromParent = z.object({ tupleset: reference, computedUserset: reference });

const userset: z.ZodType<Userset> = z.lazy(() =>
  z.object({
    this: z.looseObject({}).exactOptional(),
    computedUserset: reference.exactOptional(),
    tupleToUserset: fromParent.exactOptional(),
    union: z.object({ child: z.array(userset) }).exactOptional(),
    intersection: z.object({ child: z.array(userset) }).exactOptional(),
    difference: z.object({ base: userset, subtract: userset }).exactOptional(),
  }),
);

const restriction = z.object({
  type: z.string(),
  relation: z.string().min(1).exactOptional(),
  wildcard: z.looseObject({}).exactOptional(),
  condition: text,
});

const typeDefinition = z.object({
  type: z.string(),
  relations: z.record(z.string(), userset).default({}),
  metadata: z
    .object({
      relations: z
        .record(z.string(), z.object({ directly_related_user_types: z.array(restriction).default([]) }))
        .default({}),
    })
    .default({ relations: {} }),
});

/** A model as it is written; parsed, it has every field that OpenFGA shows when it is read, the empty ones too. */
export const modelSchema = z.object({
  schema_version: z.string(),
  type_definitions: z.array(typeDefinition).default([]),
  conditions: z.record(z.string(), z.unknown()).default({}),
});

export type ModelDefinition = z.output<typeof modelSchema>;
type Restriction = z.output<typeof restriction>;

export interface Relation {
  readonly rewrite: Userset;
  /** What it may be assigned to directly: `[user, user:*, group#member]`. */
  readonly restrictions: readonly Restriction[];
}

/** A valid model with the look-ups that tuples and checks are judged by. */
export class AuthorizationModel {
  readonly id: string;
  readonly definition: ModelDefinition;
  readonly types: ReadonlyMap<string, ReadonlyMap<string, Relation>>;
  readonly #tuplesets = new Set<string>();

  constructor(id: string, definition: ModelDefinition) {
    this.id = id;
    this.definition = definition;
    this.types = new Map(definition.type_definitions.map((each) => [each.type, relationsOf(each)]));
    for (const [type, relations] of this.types)
      for (const { rewrite } of relations.values())
        for (const { tupleToUserset: walked } of everyUserset(rewrite))
          if (walked !== undefined) this.#tuplesets.add(`${type}#${walked.tupleset.relation}`);
    assertValid(this);
  }

  relation(type: string, relation: string): Relation | undefined {
    return this.types.get(type)?.get(relation);
  }

  /** Whether some `x from relation` walks over this relation: its tuples then may hold plain objects only. */
  isTupleset(type: string, relation: string): boolean {
    return this.#tuplesets.has(`${type}#${relation}`);
  }
}

function relationsOf({
  relations,
  metadata,
}: ModelDefinition['type_definitions'][number]): ReadonlyMap<string, Relation> {
  const restrictionsOf = (name: string) => metadata.relations[name]?.directly_related_user_types ?? [];
  return new Map(
    Object.entries(relations).map(([name, rewrite]) => [
      name,
      { rewrite, restrictions: restrictionsOf(name) },
    ]),
  );
}

/** The language's own rules, and what they leave to the server. */
function assertValid({ definition, types }: AuthorizationModel): void {
  const { type_definitions: typeDefinitions, conditions } = definition;
  if (typeDefinitions.length === 0)
    throw new FgaError('type_definitions_too_few_items', 'a model needs at least one type');
  if (typeDefinitions.length > MAX_TYPES)
    throw new FgaError('exceeded_entity_limit', `a model may have ${MAX_TYPES} types`);
  const relations = [...types.values()].flatMap((of) => [...of.values()]);
  const conditional = relations.some((each) => each.restrictions.some(({ condition }) => condition !== ''));
  if (conditional || Object.keys(conditions).length > 0) throw unsupported('conditions');
  try {
    validator.validateJSON({ id: '', ...definition, conditions: {} });
  } catch (error) {
    // Some faults it does not name but trips over.
    throw invalidModel(messageOf(error));
  }
  for (const [type, of] of types)
    for (const [name, relation] of of) {
      assertRelation(`${type}#${name}`, relation);
      if (leadsBack(name, of)) throw invalidModel(`'${type}#${name}': a model cannot contain a cycle`);
    }
}

function assertRelation(named: string, { rewrite, restrictions }: Relation): void {
  const all = everyUserset(rewrite);
  if (restrictions.length > 0 && !all.some((each) => each.this !== undefined))
    throw invalidModel(`the non-assignable relation '${named}' should not contain a relation type`);
  if (all.some(({ union, intersection }) => ((union ?? intersection)?.child.length ?? 2) < 2))
    throw invalidModel(`'${named}' has a union or an intersection of less than 2 children`);
}

/** Whether a relation is computed from itself, over whatever others of its type. */
function leadsBack(name: string, relations: ReadonlyMap<string, Relation>): boolean {
  const computedOf = (from: string): string[] =>
    everyUserset(relations.get(from)?.rewrite ?? {}).flatMap(({ computedUserset: to }) => to?.relation ?? []);
  const reached = new Set(computedOf(name));
  for (const next of reached) for (const beyond of computedOf(next)) reached.add(beyond);
  return reached.has(name);
}

function everyUserset(rewrite: Userset): readonly Userset[] {
  const { union, intersection, difference } = rewrite;
  const operands = union?.child ?? intersection?.child ?? [];
  const sides = difference === undefined ? [] : [difference.base, difference.subtract];
  return [rewrite, ...[...operands, ...sides].flatMap(everyUserset)];
}

function invalidModel(message: string): FgaError {
  return new FgaError('invalid_authorization_model', message);
}

import { leavesOf, type ModelDefinition, type Relation, type TypeDefinition } from './types.ts';

/** A model with the look-ups that validation and evaluation share. */
export class AuthorizationModel {
  readonly id: string;
  readonly definition: ModelDefinition;
  readonly #types: ReadonlyMap<string, TypeDefinition>;
  readonly #tuplesets: ReadonlySet<string>;
  readonly #setOperations = new Map<string, boolean>();

  constructor(id: string, definition: ModelDefinition) {
    this.id = id;
    this.definition = definition;
    this.#types = new Map(definition.types.map((type) => [type.name, type]));
    this.#tuplesets = tuplesetsOf(definition);
  }

  hasType(type: string): boolean {
    return this.#types.has(type);
  }

  relation(type: string, relation: string): Relation | undefined {
    return this.#types.get(type)?.relations.get(relation);
  }

  /** Whether some `x from relation` walks over this relation: its tuples then may hold plain objects only. */
  isTupleset(type: string, relation: string): boolean {
    return this.#tuplesets.has(`${type}#${relation}`);
  }

  /** Whether resolving the relation can meet an intersection or an exclusion. */
  involvesSetOperation(type: string, relation: string): boolean {
    const key = `${type}#${relation}`;
    const known = this.#setOperations.get(key);
    if (known !== undefined) return known;
    const found = this.#reaches(type, relation, new Set());
    this.#setOperations.set(key, found);
    return found;
  }

  #reaches(type: string, relation: string, visited: Set<string>): boolean {
    const key = `${type}#${relation}`;
    const definition = this.relation(type, relation);
    if (definition === undefined || visited.has(key)) return false;
    visited.add(key);
    if (containsSetOperation(definition)) return true;
    return this.#references(type, definition).some(([nextType, nextRelation]) =>
      this.#reaches(nextType, nextRelation, visited),
    );
  }

  #references(type: string, relation: Relation): (readonly [type: string, relation: string])[] {
    return leavesOf(relation.rewrite).flatMap((leaf) => {
      switch (leaf.kind) {
        case 'computed':
          return [[type, leaf.relation] as const];
        case 'tuple_to_userset': {
          const parents = this.relation(type, leaf.tupleset)?.restrictions ?? [];
          return parents.map((parent) => [parent.type, leaf.computed] as const);
        }
        default:
          return relation.restrictions.flatMap((restriction) =>
            restriction.kind === 'userset' ? [[restriction.type, restriction.relation] as const] : [],
          );
      }
    });
  }
}

function tuplesetsOf(definition: ModelDefinition): ReadonlySet<string> {
  const found = new Set<string>();
  for (const type of definition.types) {
    for (const relation of type.relations.values()) {
      for (const leaf of leavesOf(relation.rewrite)) {
        if (leaf.kind === 'tuple_to_userset') found.add(`${type.name}#${leaf.tupleset}`);
      }
    }
  }
  return found;
}

function containsSetOperation({ rewrite }: Relation): boolean {
  const pending = [rewrite];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.kind === 'intersection' || next.kind === 'difference') return true;
    if (next.kind === 'union') pending.push(...next.children);
  }
  return false;
}

import { RecursionIndex } from './recursion.ts';
import { leavesOf, type ModelDefinition, type Relation, type TypeDefinition } from './types.ts';

/** A model with the look-ups that validation and evaluation share. */
export class AuthorizationModel {
  readonly id: string;
  readonly definition: ModelDefinition;
  readonly recursion: RecursionIndex;
  readonly #types: ReadonlyMap<string, TypeDefinition>;
  readonly #tuplesets: ReadonlySet<string>;

  constructor(id: string, definition: ModelDefinition) {
    this.id = id;
    this.definition = definition;
    this.recursion = new RecursionIndex(this);
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

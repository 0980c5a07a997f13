import type { AuthorizationModel } from './model.ts';
import { keyOf, referencesOf, type Reference } from './references.ts';

/**
 * Which relations lead back to themselves. The real server decides by it how far it follows tuples: plain recursion it
 * walks level by level, but once a cycle runs through a set operation it searches the whole model within bounds.
 */
export class RecursionIndex {
  readonly #model: AuthorizationModel;
  readonly #selfRecursions = new Map<string, Reference['hop']>();
  #throughSetOperation: boolean | undefined;

  constructor(model: AuthorizationModel) {
    this.#model = model;
  }

  /** Whether any cycle of the model has an intersection or an exclusion on it. */
  get throughSetOperation(): boolean {
    this.#throughSetOperation ??= this.#findConditionalCycle();
    return this.#throughSetOperation;
  }

  /** How the relation leads to itself on other objects, if that is the only way it depends on other objects. */
  selfRecursion(type: string, relation: string): Reference['hop'] {
    const key = keyOf({ type, relation });
    if (!this.#selfRecursions.has(key)) {
      this.#selfRecursions.set(
        key,
        this.throughSetOperation ? undefined : this.#findSelfRecursion(type, relation),
      );
    }
    return this.#selfRecursions.get(key);
  }

  #findSelfRecursion(type: string, relation: string): Reference['hop'] {
    const key = keyOf({ type, relation });
    const own = this.#references(type, relation);
    const hops = own.filter(({ hop }) => hop !== undefined);
    const [only] = hops;
    if (only === undefined || hops.length > 1 || keyOf(only) !== key) return undefined;
    const rest = own.filter(({ hop }) => hop === undefined);
    return rest.every((reference) => this.#isLocal(reference)) ? only.hop : undefined;
  }

  /** Needs the tuples of one object only. Computed relations cannot form a cycle, so this comes to an end. */
  #isLocal({ type, relation }: Reference): boolean {
    return this.#references(type, relation).every(
      (reference) => reference.hop === undefined && this.#isLocal(reference),
    );
  }

  #findConditionalCycle(): boolean {
    return this.#model.definition.types.some((type) =>
      [...type.relations.values()].some((relation) =>
        this.#references(type.name, relation.name).some(
          (reference) =>
            reference.conditional &&
            this.#leadsTo(reference, keyOf({ type: type.name, relation: relation.name }), new Set()),
        ),
      ),
    );
  }

  #leadsTo(from: { type: string; relation: string }, target: string, visited: Set<string>): boolean {
    const key = keyOf(from);
    if (key === target) return true;
    if (visited.has(key)) return false;
    visited.add(key);
    return this.#references(from.type, from.relation).some((next) => this.#leadsTo(next, target, visited));
  }

  #references(type: string, relation: string): readonly Reference[] {
    const definition = this.#model.relation(type, relation);
    return definition === undefined ? [] : referencesOf(this.#model, type, definition);
  }
}

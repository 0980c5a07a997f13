import { LRUCache } from 'lru-cache';
import { InputRefused } from '../../shared/errors.ts';
import type { Relations } from '../../shared/ports/relations.ts';
import type { Tuple, TupleFilter, Tuples } from '../../shared/ports/tuples.ts';
import type { Upward } from './model.ts';

/** One grant of a user: relation, object, and the tuples that bring it. */
export interface Grant {
  readonly user: string;
  readonly relation: string;
  readonly object: string;
  /** From the user's own tuple to one of the object; with `and` and `but not` in the model, one of those that are needed. */
  readonly tuples: readonly Tuple[];
  /** It holds where these do. */
  readonly conditions: readonly string[];
}

/** `sure`: by the tuples alone; else `Grants.holds` has to say so. */
export interface Candidate {
  readonly grant: Grant;
  readonly sure: boolean;
}

export interface GrantDeps {
  readonly tuples: Pick<Tuples, 'read'>;
  readonly relations: Pick<Relations, 'check'>;
  readonly upward: Upward;
}

/** Tuples that a tuple can lead through, as OpenFGA resolves no deeper. */
const DEEPEST = 25;
/** Remembered tuples of groups and parents, in all and of one. */
const MOST_REMEMBERED = 200_000;
const MOST_OF_ONE = 10_000;

/** From a person's own tuples to everything that they bring, one at a time: a store of any size takes the same memory. */
export class Grants {
  readonly #deps: GrantDeps;
  readonly #remembered = new LRUCache<string, readonly Tuple[]>({
    maxSize: MOST_REMEMBERED,
    sizeCalculation: (tuples) => tuples.length + 1,
  });

  constructor(deps: GrantDeps) {
    this.#deps = deps;
  }

  /**
   * Everything that one tuple brings a person, whose own it is or everybody's; undefined where the model gives it no meaning.
   * Throws RelationsUnavailable.
   */
  of(tuple: Tuple, person: string): AsyncGenerator<Candidate> | undefined {
    const direct = this.#deps.upward.direct(typeOf(tuple.object), tuple.relation, tuple.user);
    return direct && this.#climb(person, [tuple], tuple.relation, direct.sure);
  }

  async *#climb(
    user: string,
    chain: readonly Tuple[],
    held: string,
    surely: boolean,
  ): AsyncGenerator<Candidate> {
    const object = chain.at(-1)?.object ?? '';
    const type = typeOf(object);
    const { upward } = this.#deps;
    for (const { relation, sure } of upward.closure(type, held)) {
      const isSure = surely && sure;
      const grant = { user, relation, object, tuples: chain, conditions: conditionsIn(chain) };
      yield { grant, sure: isSure };
      if (chain.length >= DEEPEST) continue;
      const further = [
        ...upward.parents(type, relation).map((each) => ({ ...each, user: object })),
        ...upward.usersets(type, relation).map((each) => ({ ...each, user: `${object}#${relation}` })),
      ];
      for (const { user: from, type: to, by, relation: brought, sure: also } of further)
        for await (const tuple of this.#read({ user: from, relation: by, object: `${to}:` }))
          if (!chain.some((each) => isSame(each, tuple)))
            yield* this.#climb(user, [...chain, tuple], brought, isSure && also);
    }
  }

  /** OpenFGA's own answer. What hangs on a condition has none without its values, and stands with the condition's name. */
  async holds({ user, relation, object, conditions }: Grant): Promise<boolean> {
    if (conditions.length > 0) return true;
    try {
      return await this.#deps.relations.check({ user, relation, object, consistency: 'fresh' });
    } catch (error) {
      if (error instanceof InputRefused) return true;
      throw error;
    }
  }

  async *#read(filter: TupleFilter): AsyncGenerator<Tuple> {
    const key = JSON.stringify(filter);
    const known = this.#remembered.get(key);
    if (known !== undefined) {
      yield* known;
      return;
    }
    let seen: Tuple[] | null = [];
    for await (const tuple of allTuples(this.#deps.tuples, filter)) {
      if (seen !== null && seen.push(tuple) > MOST_OF_ONE) seen = null;
      yield tuple;
    }
    if (seen !== null) this.#remembered.set(key, seen);
  }
}

/** Page by page. */
export async function* allTuples(tuples: Pick<Tuples, 'read'>, filter: TupleFilter): AsyncGenerator<Tuple> {
  for (let next: string | undefined, first = true; first || next !== undefined; first = false) {
    const page = await tuples.read(filter, next);
    yield* page.tuples;
    ({ next } = page);
  }
}

export function typeOf(object: string): string {
  return object.slice(0, object.indexOf(':'));
}

function conditionsIn(chain: readonly Tuple[]): string[] {
  return [...new Set(chain.flatMap(({ condition }) => (condition === undefined ? [] : [condition.name])))];
}

function isSame(a: Tuple, b: Tuple): boolean {
  return a.user === b.user && a.relation === b.relation && a.object === b.object;
}

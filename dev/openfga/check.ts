import { FgaError, resolutionTooComplex, validationError } from './faults.ts';
import type { AuthorizationModel, Userset } from './model.ts';
import type { Store } from './store.ts';
import {
  faultOfQuestion,
  faultOfStoredTuple,
  isUserset,
  subjectOf,
  typeOf,
  type TupleKey,
} from './tuples.ts';

/** OpenFGA's default: a question that needs more hops over tuples than this is refused, not answered. */
const MAX_HOPS = 25;
/** Where groups hold each other around an exclusion there are more ways than anybody can follow. */
const MAX_STEPS = 100_000;

/** Whether the tuples and the model say so; throws when the model does not have what is asked about. */
export function check(model: AuthorizationModel, tuples: Store, key: TupleKey): boolean {
  const reason = faultOfQuestion(model, key);
  if (reason !== undefined) throw validationError(`invalid relation: ${reason}`);
  const { object, relation } = key;
  const start = { object, relation, hops: 0, way: new Set<string>(), met: new Map<string, Met>() };
  const outcome = new Question(model, tuples, key.user).visit(start);
  if (outcome === 'too_deep') throw resolutionTooComplex();
  return outcome === 'allowed';
}

/** `cycle`: denied after coming back to a question that is still open, which an exclusion must not take for a denial. */
type Outcome = 'allowed' | 'denied' | 'cycle' | 'too_deep';

interface Met {
  readonly hops: number;
  readonly outcome: Outcome;
}

interface Node {
  readonly object: string;
  readonly relation: string;
  readonly hops: number;
  /** The questions that this one is part of. */
  readonly way: ReadonlySet<string>;
  /** Those answered under the same operand: one that did not grant then grants no more now. */
  readonly met: Map<string, Met>;
}

class Question {
  readonly #model: AuthorizationModel;
  readonly #tuples: Store;
  readonly #user: string;
  #steps = 0;

  constructor(model: AuthorizationModel, tuples: Store, user: string) {
    this.#model = model;
    this.#tuples = tuples;
    this.#user = user;
  }

  visit(node: Node): Outcome {
    if ((this.#steps += 1) > MAX_STEPS)
      throw new FgaError('deadline_exceeded', 'Request Deadline Exceeded', 500);
    if (node.hops > MAX_HOPS) return 'too_deep';
    const key = `${node.object}#${node.relation}`;
    if (key === this.#user) return 'allowed';
    if (node.way.has(key)) return 'cycle';
    const before = node.met.get(key);
    if (before !== undefined && before.hops <= node.hops) return before.outcome;
    const rewrite = this.#model.relation(typeOf(node.object), node.relation)?.rewrite ?? {};
    const outcome = this.#rewrite({ ...node, way: new Set([...node.way, key]) }, rewrite);
    node.met.set(key, { hops: node.hops, outcome });
    return outcome;
  }

  #rewrite(node: Node, rewrite: Userset): Outcome {
    const { computedUserset, tupleToUserset, union, intersection, difference } = rewrite;
    if (computedUserset !== undefined) return this.visit({ ...node, relation: computedUserset.relation });
    if (tupleToUserset !== undefined) {
      const { tupleset, computedUserset: computed } = tupleToUserset;
      return this.#hops(node, this.#usersOf(node.object, tupleset.relation), computed.relation);
    }
    if (union !== undefined) return anyOf(union.child, (each) => this.#rewrite(node, each));
    const operand = (each: Userset) => this.#rewrite({ ...node, met: new Map() }, each);
    if (intersection !== undefined) return allOf(intersection.child, operand);
    if (difference !== undefined)
      return exclude(operand(difference.base), () => operand(difference.subtract));
    return this.#direct(node);
  }

  #direct(node: Node): Outcome {
    const users = this.#usersOf(node.object, node.relation);
    // A wildcard stands for every object of its type, but not for usersets.
    const everyone = isUserset(this.#user) ? this.#user : `${typeOf(this.#user)}:*`;
    if (users.includes(this.#user) || users.includes(everyone)) return 'allowed';
    return this.#hops(node, users.filter(isUserset));
  }

  #hops(node: Node, users: readonly string[], relation = ''): Outcome {
    return anyOf(users, (user) => {
      const to = subjectOf(user);
      return this.visit({
        ...node,
        object: to.object,
        relation: to.relation ?? relation,
        hops: node.hops + 1,
      });
    });
  }

  #usersOf(object: string, relation: string): readonly string[] {
    const users = this.#tuples.usersOf(object, relation);
    return [...users].filter(
      (user) => faultOfStoredTuple(this.#model, { object, relation, user }) === undefined,
    );
  }
}

/** Any grant decides; without one, a branch that was not followed to its end leaves the answer open. */
function anyOf<T>(operands: readonly T[], ask: (operand: T) => Outcome): Outcome {
  let result: Outcome = 'denied';
  for (const operand of operands) {
    const outcome = ask(operand);
    if (outcome === 'allowed') return outcome;
    if (outcome === 'too_deep' || result === 'denied') result = outcome;
  }
  return result;
}

/** Any denial decides, even beside a branch that went too deep. */
function allOf<T>(operands: readonly T[], ask: (operand: T) => Outcome): Outcome {
  let result: Outcome = 'allowed';
  for (const operand of operands) {
    const outcome = ask(operand);
    if (outcome === 'denied' || outcome === 'cycle') return outcome;
    if (outcome === 'too_deep') result = outcome;
  }
  return result;
}

/** A cycle on either side denies: nothing granted by chasing its own tail may count, nor be taken back by it. */
function exclude(granted: Outcome, subtract: () => Outcome): Outcome {
  if (granted === 'denied' || granted === 'cycle') return granted;
  const revoked = subtract();
  if (revoked === 'allowed') return 'denied';
  if (revoked === 'cycle') return 'cycle';
  return granted === 'too_deep' || revoked === 'too_deep' ? 'too_deep' : 'allowed';
}

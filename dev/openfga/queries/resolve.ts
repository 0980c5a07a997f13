import { FgaError } from '../errors.ts';
import type { Reference } from '../model/references.ts';
import type { Rewrite } from '../model/types.ts';
import type { TupleView } from '../storage/tuple-view.ts';
import { isUserset, splitUserset, typeOf } from '../tuple.ts';
import { climb } from './climb.ts';
import { Deadline } from './deadline.ts';
import { allOf, anyOf, exclude, type Outcome } from './outcome.ts';

/** OpenFGA's default: a question that needs more hops over tuples than this is refused, not answered. */
export const MAX_RESOLUTION_DEPTH = 25;

/** `object#relation`, how many hops over tuples led there, and the nodes passed on the way. */
interface Node {
  readonly object: string;
  readonly relation: string;
  readonly depth: number;
  readonly path: ReadonlySet<string>;
  /** Only the object's own tuples may answer: hops are left out. */
  readonly local: boolean;
}

interface Limits {
  readonly maxDepth: number;
  /** Measures the way as the real server's older list-objects goes it: computed relations count, exclusions do not. */
  readonly walk: boolean;
}

/** Decides whether `user` holds relations, over one view of the tuples. */
export class Resolver {
  readonly #view: TupleView;
  readonly #user: string;
  readonly #limits: Limits;
  readonly #deadline = new Deadline();

  constructor(view: TupleView, user: string, limits: Partial<Limits> = {}) {
    this.#view = view;
    this.#user = user;
    this.#limits = { maxDepth: MAX_RESOLUTION_DEPTH, walk: false, ...limits };
  }

  resolve(object: string, relation: string): Outcome {
    return this.#visit({ object, relation, depth: 0, path: new Set(), local: false });
  }

  #visit(node: Node): Outcome {
    if (this.#deadline.passed) throw new FgaError('deadline_exceeded', 'Request Deadline Exceeded');
    if (node.depth >= this.#limits.maxDepth) return 'too_deep';
    const key = `${node.object}#${node.relation}`;
    if (node.path.has(key)) return 'cycle';
    if (key === this.#user) return 'allowed';
    const definition = this.#view.model.relation(typeOf(node.object), node.relation);
    if (definition === undefined) return 'denied';
    const by = node.local ? undefined : this.#recursion(node);
    if (by !== undefined) return this.#climb(node, by, definition.rewrite);
    return this.#rewrite({ ...node, path: new Set([...node.path, key]) }, definition.rewrite);
  }

  #rewrite(node: Node, rewrite: Rewrite): Outcome {
    const operand = (child: Rewrite) => () => this.#rewrite(node, child);
    const { walk } = this.#limits;
    switch (rewrite.kind) {
      case 'undefined_rewrite':
        return 'denied';
      case 'this':
        return this.#direct(node);
      case 'computed':
        return this.#visit({ ...node, relation: rewrite.relation, depth: node.depth + (walk ? 1 : 0) });
      case 'tuple_to_userset':
        return this.#parents(node, rewrite.tupleset, rewrite.computed);
      case 'union':
        return anyOf(rewrite.children.map(operand));
      case 'intersection':
        return allOf(rewrite.children.map(operand));
      case 'difference':
        return walk ? operand(rewrite.base)() : exclude(operand(rewrite.base), operand(rewrite.subtract));
    }
  }

  #recursion({ object, relation }: Node): Reference['hop'] {
    return this.#view.model.recursion.selfRecursion(typeOf(object), relation);
  }

  #climb(node: Node, by: NonNullable<Reference['hop']>, rewrite: Rewrite): Outcome {
    const holds = (object: string): boolean =>
      this.#user === `${object}#${node.relation}` ||
      this.#rewrite({ ...node, object, path: new Set(), local: true }, rewrite) === 'allowed';
    const { maxDepth } = this.#limits;
    return climb({ ...node, view: this.#view, by, maxDepth, holds, forUserset: isUserset(this.#user) });
  }

  #direct(node: Node): Outcome {
    const users = this.#view.usersOf(node.object, node.relation);
    if (users.has(this.#user)) return 'allowed';
    // A wildcard stands for every object of its type, but not for usersets.
    if (!isUserset(this.#user) && users.has(`${typeOf(this.#user)}:*`)) return 'allowed';
    return anyOf([...users].filter(isUserset).map((userset) => () => this.#hop(node, userset)));
  }

  #parents(node: Node, tupleset: string, computed: string): Outcome {
    const parents = this.#view.usersOf(node.object, tupleset);
    return anyOf([...parents].map((parent) => () => this.#hop(node, `${parent}#${computed}`)));
  }

  #hop(node: Node, userset: string): Outcome {
    if (node.local) return 'denied';
    const { object, relation } = splitUserset(userset);
    if (relation === undefined || this.#view.model.relation(typeOf(object), relation) === undefined)
      return 'denied';
    return this.#visit({ ...node, object, relation, depth: node.depth + 1 });
  }
}

import { relationNotFound, resolutionTooComplex, typeNotFound } from '../errors.ts';
import type { AuthorizationModel } from '../model/model.ts';
import { assertContextualTuples, type ProposedTuple } from '../model/tuple-rules.ts';
import type { Rewrite } from '../model/types.ts';
import type { TupleStore } from '../storage/tuple-store.ts';
import { TupleView } from '../storage/tuple-view.ts';
import { idOf, parseSubject, splitUserset, typeOf } from '../tuple.ts';
import { Deadline } from './deadline.ts';
import { assertRelation } from './list-objects.ts';
import { MAX_RESOLUTION_DEPTH } from './resolve.ts';
import { EVERYONE, intersect, NOBODY, only, subtract, union, type SubjectSet } from './subject-set.ts';

const MAX_RESULTS = 1000;

export interface UserFilter {
  readonly type: string;
  /** Empty = objects of the type; else usersets too. */
  readonly relation: string;
}

interface ListUsersQuestion {
  readonly object: { readonly type: string; readonly id: string };
  readonly relation: string;
  readonly filter: UserFilter;
  readonly contextual: readonly ProposedTuple[];
}

interface Node {
  readonly object: string;
  readonly relation: string;
  readonly depth: number;
  readonly path: ReadonlySet<string>;
}

/** The subjects found below a node, and whether the way led back to a node already on it. */
interface Found {
  readonly subjects: SubjectSet;
  readonly cycle: boolean;
}

const NOTHING: Found = { subjects: NOBODY, cycle: false };

export function listUsers(
  model: AuthorizationModel,
  store: TupleStore,
  question: ListUsersQuestion,
): readonly object[] {
  assertContextualTuples(model, question.contextual);
  assertFilter(model, question.filter);
  const { type, id } = question.object;
  assertRelation(model, type, question.relation);
  const view = new TupleView(model, store, question.contextual);
  const root: Node = { object: `${type}:${id}`, relation: question.relation, depth: 0, path: new Set() };
  const { subjects } = new UserExpansion(view, question.filter).visit(root);
  const users = [...subjects.listed].map(encodeSubject);
  if (subjects.everyone) users.push({ wildcard: { type: question.filter.type } });
  return users.slice(0, MAX_RESULTS);
}

function assertFilter(model: AuthorizationModel, { type, relation }: UserFilter): void {
  if (!model.hasType(type)) throw typeNotFound(type);
  if (relation !== '' && model.relation(type, relation) === undefined) throw relationNotFound(type, relation);
}

function encodeSubject(subject: string): object {
  const { type, id, relation } = parseSubject(subject);
  return relation === undefined ? { object: { type, id } } : { userset: { type, id, relation } };
}

class UserExpansion {
  readonly #view: TupleView;
  readonly #filter: UserFilter;
  readonly #deadline = new Deadline();

  constructor(view: TupleView, filter: UserFilter) {
    this.#view = view;
    this.#filter = filter;
  }

  visit(node: Node): Found {
    // Past the deadline the answer is what was found so far.
    if (this.#deadline.passed) return NOTHING;
    // Every rewrite counts here, computed ones too: ListUsers reaches its bound sooner than Check.
    if (node.depth >= MAX_RESOLUTION_DEPTH) throw resolutionTooComplex();
    const key = `${node.object}#${node.relation}`;
    if (node.path.has(key)) return { ...NOTHING, cycle: true };
    const definition = this.#view.model.relation(typeOf(node.object), node.relation);
    if (definition === undefined) return NOTHING;
    const found = this.#rewrite({ ...node, path: new Set([...node.path, key]) }, definition.rewrite);
    if (typeOf(node.object) !== this.#filter.type || node.relation !== this.#filter.relation) return found;
    return { ...found, subjects: union(found.subjects, only(key)) };
  }

  #rewrite(node: Node, rewrite: Rewrite): Found {
    const subjectsOf = (child: Rewrite): SubjectSet => this.#rewrite(node, child).subjects;
    switch (rewrite.kind) {
      case 'undefined_rewrite':
        return NOTHING;
      case 'this':
        return this.#direct(node);
      case 'computed':
        return this.visit({ ...node, relation: rewrite.relation, depth: node.depth + 1 });
      case 'tuple_to_userset':
        return this.#parents(node, rewrite.tupleset, rewrite.computed);
      case 'union':
        return { subjects: rewrite.children.map(subjectsOf).reduce(union, NOBODY), cycle: false };
      case 'intersection':
        return { subjects: rewrite.children.map(subjectsOf).reduce(intersect), cycle: false };
      case 'difference':
        return this.#difference(node, rewrite.base, rewrite.subtract);
    }
  }

  /** Nobody is let through an exclusion whose subtracted side runs into a cycle. */
  #difference(node: Node, base: Rewrite, subtracted: Rewrite): Found {
    const granted = this.#rewrite(node, base);
    const revoked = this.#rewrite(node, subtracted);
    if (revoked.cycle) return NOTHING;
    return { subjects: subtract(granted.subjects, revoked.subjects), cycle: false };
  }

  #direct(node: Node): Found {
    return merge([...this.#view.usersOf(node.object, node.relation)].map((user) => this.#user(node, user)));
  }

  #user(node: Node, user: string): Found {
    const { object, relation } = splitUserset(user);
    if (relation !== undefined) return this.visit({ ...node, object, relation, depth: node.depth + 1 });
    // Objects of the type are listed under a userset filter as well: so the real server does.
    if (typeOf(object) !== this.#filter.type) return NOTHING;
    return { subjects: idOf(object) === '*' ? EVERYONE : only(object), cycle: false };
  }

  #parents(node: Node, tupleset: string, computed: string): Found {
    const parents = [...this.#view.usersOf(node.object, tupleset)];
    return merge(
      parents.map((object) => this.visit({ ...node, object, relation: computed, depth: node.depth + 1 })),
    );
  }
}

function merge(all: readonly Found[]): Found {
  return {
    subjects: all.map(({ subjects }) => subjects).reduce(union, NOBODY),
    cycle: all.some(({ cycle }) => cycle),
  };
}

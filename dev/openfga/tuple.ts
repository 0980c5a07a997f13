/** The three strings of a relationship tuple and their grammar. */
export interface TupleKey {
  readonly user: string;
  readonly relation: string;
  readonly object: string;
}

/** A user taken apart: `user:anne`, `user:*` or `group:eng#member`. */
export interface Subject {
  readonly type: string;
  readonly id: string;
  readonly relation: string | undefined;
}

const OBJECT = /^[^:# \p{Cc}]+:[^:# \p{Cc}]+$/u;
const USERSET = /^[^:# \p{Cc}]+:[^:#* \p{Cc}]+#[^:#* \p{Cc}]+$/u;
const BARE_ID = /^[^:# \p{Cc}]+$/u;
const RELATION = /^[^:#@ \p{Cc}]+$/u;

export function isObject(text: string): boolean {
  return OBJECT.test(text);
}

export function isUserset(text: string): boolean {
  return USERSET.test(text);
}

/** Bare ids are well-formed, though no schema 1.1 model admits them; OpenFGA refuses the two in different words. */
export function isWellFormedUser(text: string): boolean {
  return BARE_ID.test(text) || isObject(text) || isUserset(text);
}

export function isWellFormedRelation(text: string): boolean {
  return RELATION.test(text);
}

export function typeOf(object: string): string {
  return object.includes(':') ? object.slice(0, object.indexOf(':')) : '';
}

export function idOf(object: string): string {
  return object.slice(object.indexOf(':') + 1);
}

export function isTypedWildcard(user: string): boolean {
  return typeOf(user) !== '' && idOf(user) === '*';
}

export function parseSubject(user: string): Subject {
  const { object, relation } = splitUserset(user);
  return { type: typeOf(object), id: idOf(object), relation };
}

export function splitUserset(user: string): { object: string; relation: string | undefined } {
  const hash = user.lastIndexOf('#');
  if (hash === -1) return { object: user, relation: undefined };
  return { object: user.slice(0, hash), relation: user.slice(hash + 1) };
}

export function formatTuple({ user, relation, object }: TupleKey): string {
  return `${object}#${relation}@${user}`;
}

/** `group:eng#member@group:eng#member` holds without being written. */
export function isSelfDefining({ user, relation, object }: TupleKey): boolean {
  return user === `${object}#${relation}`;
}

/**
 * The subjects that hold a relation: those listed by name and, when `everyone` is set, all objects of the asked type
 * (`user:*`) but the exceptions. Closed under the set operations of rewrites, so an exclusion inside an exclusion
 * gives back exactly those it took.
 */
export interface SubjectSet {
  readonly listed: ReadonlySet<string>;
  readonly everyone: boolean;
  readonly exceptions: ReadonlySet<string>;
}

export const NOBODY: SubjectSet = { listed: new Set(), everyone: false, exceptions: new Set() };
export const EVERYONE: SubjectSet = { ...NOBODY, everyone: true };

export function only(subject: string): SubjectSet {
  return { ...NOBODY, listed: new Set([subject]) };
}

export function union(a: SubjectSet, b: SubjectSet): SubjectSet {
  const everyone = a.everyone || b.everyone;
  return select(a, b, everyone, (subject) => contains(a, subject) || contains(b, subject));
}

export function intersect(a: SubjectSet, b: SubjectSet): SubjectSet {
  return select(a, b, a.everyone && b.everyone, (subject) => contains(a, subject) && contains(b, subject));
}

export function subtract(a: SubjectSet, b: SubjectSet): SubjectSet {
  return select(a, b, a.everyone && !b.everyone, (subject) => contains(a, subject) && !contains(b, subject));
}

/** Judges every subject either side names; who is named nowhere is covered by `everyone`. */
function select(
  a: SubjectSet,
  b: SubjectSet,
  everyone: boolean,
  belongs: (subject: string) => boolean,
): SubjectSet {
  const named = [...new Set([...a.listed, ...b.listed, ...a.exceptions, ...b.exceptions])];
  return {
    listed: new Set(named.filter(belongs)),
    everyone,
    exceptions: everyone ? new Set(named.filter((subject) => !belongs(subject))) : new Set(),
  };
}

function contains(set: SubjectSet, subject: string): boolean {
  return set.listed.has(subject) || (set.everyone && !set.exceptions.has(subject));
}

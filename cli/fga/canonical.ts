import type { AuthorizationModel } from '../../shared/ports/authorization-models.ts';

/** Where a file was written or by which tool changes nothing of what a model means. */
const NOT_MEANING = new Set(['id', 'source_info', 'module']);
/** Empty objects that say something: `{this: {}}` is the relation's own tuples, `wildcard` everyone. */
const MARKERS = new Set(['this', 'wildcard']);

/** Text that two models share exactly when they mean the same: order, ids and a server's empty defaults play no part. */
export function canonicalModel(model: AuthorizationModel): string {
  return JSON.stringify(canonical(model));
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return sorted(value.map(canonical));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .filter(([name]) => !NOT_MEANING.has(name))
    .map(([name, member]): [string, unknown] => [name, inOrder(name, member)])
    .filter(([name, member]) => MARKERS.has(name) || !isEmpty(member));
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `a but not b` and the arguments of a type are the places where the order counts. */
function inOrder(name: string, member: unknown): unknown {
  const ordered = name === 'generic_types' && Array.isArray(member);
  return ordered ? member.map(canonical) : canonical(member);
}

function sorted(values: readonly unknown[]): unknown[] {
  const key = (value: unknown): string => JSON.stringify(value);
  return values.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}

function isEmpty(value: unknown): boolean {
  if (value === '' || value === null || value === undefined) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

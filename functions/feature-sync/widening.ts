import { rewriteSchema, type AuthorizationModel } from '../../shared/ports/authorization-models.ts';
import type { Tuple } from '../../shared/ports/tuples.ts';
import type { Changes } from './changes.ts';
import type { Effects } from './effects.ts';
import { conditionOf, keyOf, keysOf, type Snapshot } from './effects.ts';

/** Subjects that would be admitted where the former rules refused them. */
export interface Widening {
  readonly feature: string;
  readonly relation: string;
  /** Subjects of tuples; a group such as `role:x#assignee` counts as one. */
  readonly users: number;
  /** `GET /reports` */
  readonly points: readonly string[];
}

/** Between expand and contract, a feature of a chain or swap holds its former and its new subjects. */
export interface Overlap {
  readonly feature: string;
  readonly users: number;
}

/**
 * Subjects that gain access, by path and method: for each point whose feature is carried tuples, compares who passes after
 * the run with who passed before, by the tuples and the model. A point that was not guarded before counts only where the
 * feature existed already. docs/feature-sync.md has the definition.
 */
export function wideningOf(
  changes: Changes,
  snapshot: Snapshot,
  effects: Effects,
  model: AuthorizationModel | undefined,
): Widening[] {
  const targets = new Set(effects.writes.map(({ object }) => object));
  const gains = new Map<
    string,
    { feature: string; relation: string; users: Set<string>; points: string[] }
  >();
  for (const { label, before, after } of changes.points) {
    const { object: feature, relation } = after;
    const former = before ?? { object: feature, relation };
    const fresh = before === null && isFresh(feature, changes, snapshot);
    if (fresh || !(targets.has(feature) || changes.replaced.includes(feature))) continue;
    const gaining = gainingUsers({
      after: effects.after.get(feature) ?? [],
      before: snapshot.get(former.object) ?? [],
      sufficientAfter: sufficientFor(model, relation),
      sufficientBefore: sufficientFor(model, former.relation),
    });
    if (gaining.length === 0) continue;
    const key = `${feature}\0${relation}`;
    const entry = gains.get(key) ?? { feature, relation, users: new Set<string>(), points: [] };
    for (const user of gaining) entry.users.add(user);
    entry.points.push(label);
    gains.set(key, entry);
  }
  return [...gains.values()].map((gain) => ({ ...gain, users: gain.users.size }));
}

export function overlapsOf(changes: Changes, snapshot: Snapshot, effects: Effects): Overlap[] {
  return changes.replaced.flatMap((feature) => {
    const own = snapshot.get(feature) ?? [];
    const after = effects.after.get(feature) ?? [];
    const kept = keysOf(own);
    const carried = keysOf(after);
    const different = [
      ...own.filter((t) => !carried.has(keyOf(t))),
      ...after.filter((t) => !kept.has(keyOf(t))),
    ];
    const users = new Set(different.map(({ user }) => user)).size;
    return users === 0 ? [] : [{ feature, users }];
  });
}

function isFresh(feature: string, { known, replaced }: Changes, snapshot: Snapshot): boolean {
  if (replaced.includes(feature)) return true;
  return !known.includes(feature) && (snapshot.get(feature) ?? []).length === 0;
}

interface Comparison {
  readonly after: readonly Tuple[];
  readonly before: readonly Tuple[];
  readonly sufficientAfter: Sufficient;
  readonly sufficientBefore: Sufficient;
}

function gainingUsers({ after, before, sufficientAfter, sufficientBefore }: Comparison): string[] {
  const held = byUser(before);
  const holds = (tuple: Tuple, { surely }: Sufficient): boolean => surely.has(tuple.relation);
  const everyone = before.some(
    (t) => t.user === 'user:*' && t.condition === undefined && holds(t, sufficientBefore),
  );
  return [...byUser(after)].flatMap(([user, tuples]) => {
    const giving = tuples.filter(
      ({ relation }) => sufficientAfter.surely.has(relation) || sufficientAfter.perhaps.has(relation),
    );
    const own = held.get(user) ?? [];
    if (giving.length === 0 || (everyone && /^user:|#/.test(user))) return [];
    const sure = own.filter((tuple) => holds(tuple, sufficientBefore));
    const covered = giving.every((tuple) =>
      sure.some((old) => old.condition === undefined || conditionOf(old) === conditionOf(tuple)),
    );
    return covered || sameTuples(tuples, own, sufficientAfter, sufficientBefore) ? [] : [user];
  });
}

/** Whatever a relation needs beyond a single tuple, it needs the same of the same tuples. */
function sameTuples(
  after: readonly Tuple[],
  before: readonly Tuple[],
  now: Sufficient,
  then: Sufficient,
): boolean {
  const print = (tuples: readonly Tuple[]): string =>
    tuples
      .map((t) => keyOf(t) + conditionOf(t))
      .sort()
      .join('\n');
  const relations = ({ surely, perhaps }: Sufficient): string => [...surely, '|', ...perhaps].join();
  return relations(now) === relations(then) && print(after) === print(before);
}

function byUser(tuples: readonly Tuple[]): Map<string, Tuple[]> {
  const users = new Map<string, Tuple[]>();
  for (const tuple of tuples) {
    const found = users.get(tuple.user);
    if (found === undefined) users.set(tuple.user, [tuple]);
    else found.push(tuple);
  }
  return users;
}

/** Relations whose tuples grant another relation: on their own, or only with what a single tuple does not show. */
interface Sufficient {
  readonly surely: ReadonlySet<string>;
  readonly perhaps: ReadonlySet<string>;
}

/** Relations of a feature whose tuples make `relation` hold, by the model. Without a model: `relation` alone. */
function sufficientFor(model: AuthorizationModel | undefined, relation: string): Sufficient {
  const relations = model?.type_definitions.find(({ type }) => type === 'feature')?.relations;
  if (relations?.[relation] === undefined) return { surely: new Set([relation]), perhaps: new Set() };
  const surely = new Set<string>();
  const perhaps = new Set<string>();
  const seen = new Set<string>();
  const walk = (name: string, node: unknown, sure: boolean): void => {
    const parsed = rewriteSchema.safeParse(node);
    // An unknown rewrite counts as a path.
    if (!parsed.success) {
      perhaps.add(name);
      return;
    }
    const { computedUserset, tupleToUserset, union, intersection, difference } = parsed.data;
    if ('this' in parsed.data && parsed.data.this !== undefined) (sure ? surely : perhaps).add(name);
    if (computedUserset !== undefined) follow(computedUserset.relation, sure);
    if (tupleToUserset !== undefined) perhaps.add(tupleToUserset.tupleset.relation);
    for (const child of union?.child ?? []) walk(name, child, sure);
    for (const child of intersection?.child ?? []) walk(name, child, false);
    if (difference !== undefined)
      for (const child of [difference.base, difference.subtract]) walk(name, child, false);
  };
  const follow = (name: string, sure: boolean): void => {
    const key = `${name}\0${sure}`;
    if (seen.has(key)) return;
    seen.add(key);
    walk(name, relations[name], sure);
  };
  follow(relation, true);
  return { surely, perhaps };
}

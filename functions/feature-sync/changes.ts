import { createHash } from 'node:crypto';
import * as z from 'zod';

/** What one rule requires. `open`: nothing, or any valid token. `other`: an object that is no fixed feature, or claims alone. */
export type Requirement =
  | { readonly kind: 'feature'; readonly object: string; readonly relation: string }
  | { readonly kind: 'open' }
  | { readonly kind: 'other' };

export interface FeatureRule {
  /** Equal for rules that match the same paths. */
  readonly shape: string;
  /** As written. */
  readonly path: string;
  readonly methods: '*' | readonly string[];
  readonly requirement: Requirement;
}

const access = z.object({ object: z.string(), relation: z.string() });

/** What two rules files imply for the tuples of features. Stored with the run, so that a restore needs no files. */
export const changesSchema = z.object({
  /** Paths and methods that a feature guards now; `before`: the former one, null when there was none. */
  points: z.array(z.object({ label: z.string(), before: access.nullable(), after: access })),
  /** All tuples of `from` must hold on `to` as well. */
  carries: z.array(z.object({ from: z.string(), to: z.string() })),
  /** Features whose own tuples are replaced by the carried ones: those of chains and swaps. */
  replaced: z.array(z.string()),
  /** Features that no rule names any more: moved or dropped. */
  removed: z.array(z.string()),
  /** Features of the former rules. */
  known: z.array(z.string()),
});

export type Changes = z.output<typeof changesSchema>;

type Shapes = Map<string, { path: string; readonly methods: Map<string, Requirement> }>;

/** Same path and method, other feature: its tuples are carried. Features that the former rules do not name stay untouched. */
export function compareRules(previous: readonly FeatureRule[], current: readonly FeatureRule[]): Changes {
  const points = pointsOf(byShape(previous), byShape(current));
  const known = featuresOf(previous);
  const now = new Set(featuresOf(current));
  const pairs = points.flatMap(({ before, after }) =>
    before === null ? [] : [{ from: before.object, to: after.object }],
  );
  const stays = new Set(pairs.flatMap(({ from, to }) => (from === to ? [from] : [])));
  const moves = unique(pairs.filter(({ from, to }) => from !== to));
  const sources = new Set(moves.map(({ from }) => from));
  const targets = new Set(moves.map(({ to }) => to));
  return {
    points,
    carries: moves,
    replaced: [...targets].filter((feature) => sources.has(feature) && !stays.has(feature)).sort(),
    removed: known.filter((feature) => !now.has(feature)),
    known,
  };
}

/** Equal for the same two files, whatever the order of their rules. */
export function fingerprintOf(changes: Changes): string {
  return createHash('sha256').update(JSON.stringify(changes)).digest('hex');
}

export function changesNothing({ carries, removed }: Changes): boolean {
  return carries.length === 0 && removed.length === 0;
}

/** Features whose tuples a run reads or writes. */
export function touchedFeatures({ carries, removed }: Changes): string[] {
  return [...new Set([...carries.flatMap(({ from, to }) => [from, to]), ...removed])].sort();
}

function pointsOf(previous: Shapes, current: Shapes): Changes['points'] {
  const points: Changes['points'] = [];
  for (const [shape, { path, methods }] of current) {
    const former = previous.get(shape)?.methods ?? new Map<string, Requirement>();
    for (const method of new Set([...methods.keys(), ...former.keys()])) {
      const after = methods.get(method) ?? methods.get('*');
      const before = former.get(method) ?? former.get('*');
      // A caller admitted without a relation neither loses nor gains here.
      if (after?.kind !== 'feature' || before?.kind === 'open') continue;
      points.push({
        label: `${method} ${path}`,
        before: accessOf(before),
        after: { object: after.object, relation: after.relation },
      });
    }
  }
  return points.sort((a, b) => (a.label < b.label ? -1 : 1));
}

function accessOf(requirement: Requirement | undefined): { object: string; relation: string } | null {
  return requirement?.kind === 'feature'
    ? { object: requirement.object, relation: requirement.relation }
    : null;
}

function byShape(rules: readonly FeatureRule[]): Shapes {
  const shapes: Shapes = new Map();
  for (const { shape, path, methods, requirement } of rules) {
    const entry = shapes.get(shape) ?? { path, methods: new Map<string, Requirement>() };
    for (const method of methods === '*' ? ['*'] : methods) entry.methods.set(method, requirement);
    shapes.set(shape, entry);
  }
  return shapes;
}

function featuresOf(rules: readonly FeatureRule[]): string[] {
  const objects = rules.flatMap(({ requirement }) =>
    requirement.kind === 'feature' ? [requirement.object] : [],
  );
  return [...new Set(objects)].sort();
}

function unique(moves: readonly { from: string; to: string }[]): { from: string; to: string }[] {
  const byKey = new Map(moves.map((move) => [JSON.stringify([move.from, move.to]), move]));
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, move]) => move);
}

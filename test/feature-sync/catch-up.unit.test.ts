import { expect, it } from 'vitest';
import { catchUp } from '../../functions/feature-sync/catch-up.ts';
import { compareRules } from '../../functions/feature-sync/changes.ts';
import { FeatureSyncRefused } from '../../functions/feature-sync/effects.ts';
import type { Tuple } from '../../shared/ports/tuples.ts';
import { MemoryTuples, tuple } from './memory.ts';
import { rules } from './rules.ts';

/** Between expand and contract of `a`, `b` → `c`: what the archive knows, and what OpenFGA holds by now. */
function between(archived: readonly Tuple[], now: readonly Tuple[]) {
  const changes = compareRules(rules({ x: 'a', y: 'b' }), rules({ x: 'c', y: 'c' }));
  const run = { id: 'run', fingerprint: '', plan: changes, state: 'expanded', progress: 0 } as const;
  const kept = [...archived];
  const archive = {
    add: async (_run: string, tuples: readonly Tuple[]) => void kept.push(...tuples),
    forget: async () => undefined,
    load: async (_run: string, features: readonly string[]) =>
      new Map(features.map((feature) => [feature, kept.filter(({ object }) => object === feature)])),
  };
  const tuples = new MemoryTuples(now);
  return { tuples, kept, run: () => catchUp(run, { tuples, archive }) };
}

it('refuses a late grant under another condition, and leaves the archive fit to go on or restore', async () => {
  const granted = tuple('user:1 viewer feature:a');
  const clashing: Tuple = { ...tuple('user:1 viewer feature:b'), condition: { name: 'office_hours' } };
  const { kept, run } = between([granted], [granted, tuple('user:1 viewer feature:c'), clashing]);
  await expect(run()).rejects.toThrow(FeatureSyncRefused);
  expect(kept).toEqual([granted]);
});

it('a late grant brings back no copy that somebody took away on purpose', async () => {
  const both = [tuple('user:1 viewer feature:a')];
  const { tuples, run } = between(both, [...both, tuple('user:1 viewer feature:b')]);
  await run();
  expect(tuples.shown).not.toContain('user:1 viewer feature:c');
});

it('a condition that clashes with that of another feature is refused, and takes no copy away', async () => {
  const both = [tuple('user:1 viewer feature:a'), tuple('user:1 viewer feature:b')];
  const changed: Tuple = { ...tuple('user:1 viewer feature:a'), condition: { name: 'office_hours' } };
  const { tuples, kept, run } = between(both, [changed, ...both.slice(1), tuple('user:1 viewer feature:c')]);
  await expect(run()).rejects.toThrow(FeatureSyncRefused);
  expect(tuples.shown).toContain('user:1 viewer feature:c');
  expect(kept).toEqual(both);
});

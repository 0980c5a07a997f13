import type { Changes } from '../../functions/feature-sync/changes.ts';
import type { Plan, SyncOutcome } from '../../functions/feature-sync/sync.ts';
import type { Widening } from '../../functions/feature-sync/widening.ts';
import { colors } from '../terminal.ts';

/** What two rules files mean for features, one line each. */
export function changeLines({ carries, removed, replaced }: Changes): string[] {
  const moved = new Set(carries.map(({ from }) => from));
  const lines = carries.map(({ from, to }) => {
    const how = removed.includes(from) ? 'moves to' : 'is copied to';
    return `${from} ${replaced.includes(from) ? 'moves to' : how} ${to}`;
  });
  const dropped = removed.filter((feature) => !moved.has(feature));
  lines.push(...dropped.map((feature) => `${feature} is dropped: its tuples are archived, then deleted`));
  return lines.length === 0 ? ['no feature was renamed, split, merged or dropped'] : lines;
}

export function planLines({ changes, writes, deletes, widening, overlaps }: Plan): string[] {
  return [
    ...changeLines(changes),
    `${writes} tuples to write, ${deletes} to delete`,
    ...widening.map((each) => colors.yellow(wideningLine(each))),
    ...overlaps.map(({ feature, users }) =>
      colors.yellow(
        `between expand and contract, ${count(users, 'user')} of the former or the new ${feature} may pass both`,
      ),
    ),
  ];
}

function wideningLine({ feature, relation, users, points }: Widening): string {
  return `widens ${feature}: ${count(users, 'user')} would gain ${relation} (${points.join(', ')})`;
}

/** The output of --json. */
export function toJson(outcome: SyncOutcome): Record<string, unknown> {
  const plan = 'plan' in outcome ? outcome.plan : undefined;
  const run = 'runId' in outcome ? { run: outcome.runId, restore: restoreLine(outcome.runId) } : {};
  const verification = outcome.kind === 'done' ? { verification: outcome.verification } : {};
  return { outcome: outcome.kind, ...run, ...(plan && planJson(plan)), ...verification };
}

export function planJson({ changes, writes, deletes, widening, overlaps }: Plan): Record<string, unknown> {
  const { carries, removed, replaced } = changes;
  return { carries, removed, replaced, writes, deletes, widening, overlaps };
}

export function restoreLine(runId: string): string {
  return `sallyport rules restore ${runId}`;
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}

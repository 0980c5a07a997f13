/** Bounds of the releases between which a numbered setup step came: in none before `since`, and in every one from `by`. */
interface Known {
  readonly step: number;
  readonly since: string;
  readonly by: string;
}

/** Of some of the setup steps, by number; between the bounds nothing is claimed. */
const KNOWN: readonly Known[] = [
  { step: 14, since: '2.34', by: '2.34' },
  { step: 59, since: '4.0', by: '4.0' },
  { step: 66, since: '4.1', by: '4.14' },
  { step: 73, since: '4.5', by: '4.14' },
];

/** How the steps that a dump has done stand to those that the target has done, or that a release brings along. */
export type StepsVerdict =
  /** All of them are known there. */
  | { readonly outcome: 'known' }
  /** The dump is of a newer Zitadel. */
  | { readonly outcome: 'newer'; readonly steps: readonly string[] }
  /** Not above what the target has done, and yet not among it: of releases that both came through on other ways. */
  | { readonly outcome: 'unlike'; readonly steps: readonly string[] }
  | { readonly outcome: 'unknown'; readonly why: string };

/** As in 14 for `14_events_push`; 0 for steps that are repeated, which have no number. */
function numberOf(step: string): number {
  return Number(/^(\d+)_/.exec(step)?.[1] ?? 0);
}

function highest(steps: readonly string[]): number {
  return Math.max(0, ...steps.map(numberOf));
}

/** Against a database: its setup steps that are done. */
export function stepsAgainst(dump: readonly string[], target: readonly string[]): StepsVerdict {
  const done = new Set(target);
  const top = highest(target);
  // A release may only make a projection anew, under another number.
  const strange = dump.filter(
    (step) => (numberOf(step) > 0 || step.startsWith('projections.')) && !done.has(step),
  );
  const newer = strange.filter((step) => numberOf(step) > top);
  if (newer.length > 0) return { outcome: 'newer', steps: newer };
  return strange.length > 0 ? { outcome: 'unlike', steps: strange } : { outcome: 'known' };
}

/** Against a release, as in `v4.13.1`. */
export function stepsAgainstVersion(dump: readonly string[], version: string): StepsVerdict {
  const top = highest(dump);
  const known = KNOWN.find(({ step }) => step >= top);
  const wanted = version.replace(/^v/, '');
  const before = KNOWN.filter(({ step, since }) => step <= top && isBefore(wanted, since));
  const [first] = before;
  if (first !== undefined)
    return { outcome: 'newer', steps: dump.filter((step) => numberOf(step) >= first.step) };
  if (known !== undefined && !isBefore(wanted, known.by)) return { outcome: 'known' };
  return {
    outcome: 'unknown',
    why: `which setup steps Zitadel ${wanted} has is not known here; the dump has come to step ${top}`,
  };
}

function isBefore(one: string, other: string): boolean {
  const [a, b] = [one, other].map((version) => version.split(/[.+-]/).map(Number));
  for (let at = 0; at < 3; at += 1) {
    const difference = (a?.[at] ?? 0) - (b?.[at] ?? 0);
    if (difference !== 0 && !Number.isNaN(difference)) return difference < 0;
  }
  return false;
}

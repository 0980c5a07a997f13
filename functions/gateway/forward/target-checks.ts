import type { Targets } from '../slice.ts';
import type { Clock } from '../../../shared/ports/runtime.ts';
import type { Platform } from '../../../shared/ports/platform.ts';
import type { Look, ReadinessCheck } from '../../../shared/edge/readiness.ts';
import type { RulesStore } from '../match/store.ts';

/** Bound on an attempt, and least time between two. */
const ATTEMPT_MS = 2_000;

interface Means {
  readonly platform: Pick<Platform, 'fetch' | 'background'>;
  readonly clock: Clock;
}

/**
 * Whether the rules' targets can be reached, for /ready. Never needed: an instance whose target is away still gives the
 * right answer, and no caller may take it out of service. A separate attempt, never awaited: a target that swallows
 * packets must not delay a probe, and the next probe shows the result.
 */
export function targetChecks(
  targets: Targets,
  rules: Pick<RulesStore, 'current'>,
  means: Means,
): ReadinessCheck[] {
  const used = new Set(rules.current().rules.map(({ target }) => target));
  return Object.entries(targets).flatMap(([name, base]) =>
    base === undefined || !used.has(name) ? [] : [targetCheck(name, base, means)],
  );
}

function targetCheck(name: string, base: string, { platform, clock }: Means): ReadinessCheck {
  let seen: Look = { up: true, state: 'not tried yet' };
  let begun = -Infinity;
  const attempt = async (): Promise<void> => {
    try {
      // Any answer counts, also a refusal.
      await platform.fetch(base, { method: 'HEAD', signal: AbortSignal.timeout(ATTEMPT_MS) });
      seen = { up: true, state: 'up' };
    } catch (error) {
      seen = { up: false, state: 'away', last_error: reasonOf(error) };
    }
  };
  return {
    name: `target_${name}`,
    check: 'targets',
    needed: false,
    look() {
      if (clock.now() - begun >= ATTEMPT_MS) {
        begun = clock.now();
        platform.background(attempt());
      }
      return seen;
    },
  };
}

/** The code of the socket's error where the runtime has one: a message could name more than a state. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  if (!(cause instanceof Error)) return 'unknown';
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.name;
}

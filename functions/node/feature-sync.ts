import { setTimeout } from 'node:timers/promises';
import type { TextSource } from '../../shared/configuration/values.ts';
import type { Deps } from '../../shared/deps.ts';
import { messageOf, Unavailable } from '../../shared/errors.ts';
import type { Look, ReadinessCheck } from '../../shared/edge/readiness.ts';
import type { FeatureRule } from '../feature-sync/changes.ts';
import { FeatureSyncRefused } from '../feature-sync/effects.ts';
import { openFeatureSync } from '../feature-sync/function.ts';
import type { FeatureSyncConfig } from '../feature-sync/slice.ts';
import { syncFeatures, type SyncOutcome } from '../feature-sync/sync.ts';
import type { GatewayConfig } from '../gateway/slice.ts';
import { readFeatureRules } from '../synced-rules.ts';

export interface FeatureSyncAtStart {
  readonly checks: readonly ReadinessCheck[];
  /** Never rejects, and serving never waits for it. */
  run(): Promise<void>;
  /** Adopts the result of the process that runs it for this one. */
  learn(settled: Settled): void;
  stop(): void;
}

/** How long a replica waits for the lease holder. */
const WAIT_MS = 600_000;
const AWAY_PAUSE_MS = 15_000;

/** `reason` names rules and servers: logged, and shown with METRICS_TOKEN only. */
export type Settled = Pick<Look, 'up' | 'state'> & { readonly reason?: string };

type Needs = Pick<Deps, 'platform' | 'random' | 'log' | 'database' | 'tuples' | 'models'> & {
  readonly config: FeatureSyncConfig & Pick<GatewayConfig, 'rules'>;
};

const OFF: FeatureSyncAtStart = {
  checks: [],
  run: () => Promise.resolve(),
  learn: () => undefined,
  stop: () => undefined,
};

/** FEATURE_SYNC=start: one replica applies the change of rules, the others find it done. */
export function featureSyncAtStart(
  deps: Needs,
  onSettled: (settled: Settled) => void = () => undefined,
): FeatureSyncAtStart {
  const { config, log } = deps;
  if (config.featureSync === 'off') return OFF;
  const stopped = new AbortController();
  let settled: Settled = { up: true, state: 'running' };
  const settle = (next: Settled): void => {
    settled = next;
    log[next.up ? 'info' : 'error']('feature sync', next);
    onSettled(next);
  };
  return {
    checks: [{ name: 'feature_sync', check: 'feature-migration', needed: false, look: () => settled }],
    async run() {
      try {
        settle(settledOf(await untilThere(deps, stopped.signal, settle)));
      } catch (error) {
        if (!stopped.signal.aborted) settle({ up: false, state: 'failed', reason: messageOf(error) });
      }
    },
    learn(next) {
      settled = next;
    },
    stop: () => {
      stopped.abort();
    },
  };
}

/** Retries while OpenFGA or Postgres is away: a sync resumes where it stopped. */
async function untilThere(
  deps: Needs,
  signal: AbortSignal,
  settle: (state: Settled) => void,
): Promise<SyncOutcome> {
  const { database, tuples, models, random, platform } = deps;
  if (database === null) throw new FeatureSyncRefused('DATABASE_URL is not set');
  const sleep = (ms: number): Promise<void> => setTimeout(ms, undefined, { signal, ref: false });
  const sync = openFeatureSync({
    tuples,
    database,
    models,
    random,
    processes: platform.processes,
    patience: { sleep, waitMs: WAIT_MS },
    onProgress: () => {
      signal.throwIfAborted();
    },
  });
  const request = {
    previous: rulesOf(deps, deps.config.previousRules),
    current: rulesOf(deps, deps.config.rules.current),
    phase: 'both',
    allowWidening: false,
  } as const;
  for (;;) {
    try {
      return await syncFeatures(request, sync);
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      settle({ up: false, state: 'waiting', reason: error.message });
    }
    await sleep(AWAY_PAUSE_MS);
  }
}

function rulesOf({ platform }: Needs, source: TextSource | null): readonly FeatureRule[] {
  if (source === null) return [];
  const read = readFeatureRules(source.kind === 'inline' ? source.json : platform.readText(source.path));
  if (read.ok) return read.rules;
  throw new FeatureSyncRefused(`a rules file cannot be used: ${read.faults.join('; ')}`);
}

function settledOf(outcome: SyncOutcome): Settled {
  if (outcome.kind === 'widening') {
    const features = outcome.plan.widening
      .map(({ feature, users }) => `${feature} (${users} users)`)
      .join(', ');
    const reason = `it would widen ${features}; see \`sallyport rules sync --dry-run\``;
    return { up: false, state: 'refused', reason };
  }
  if (outcome.kind === 'nothing') return { up: true, state: 'unchanged' };
  const run = `run ${outcome.runId}`;
  if (outcome.kind !== 'done') return { up: true, state: 'done', reason: `${outcome.kind}: ${run}` };
  const { missing, left } = outcome.verification;
  if (missing + left === 0) return { up: true, state: 'done', reason: run };
  return { up: false, state: 'done', reason: `${run}: ${missing} tuples are missing and ${left} left` };
}

import type { Directory } from '../ports/directory.ts';
import type { Clock, Random } from '../ports/runtime.ts';
import { withLease } from '../runs/lease.ts';
import { openCalls, ProviderStopped, type Calls } from './calls.ts';
import type { Skeleton } from './collisions.ts';
import { openLedger, type Ledger } from './ledger.ts';
import { assertNotPaused, ProvisioningRefused, type Books } from './run.ts';

/** What runs that call the provider need. */
export interface PeopleDeps extends Books {
  readonly directory: Directory;
  readonly skeleton: Skeleton;
  readonly clock: Clock;
  readonly random: Pick<Random, 'uuid'>;
  /** The operator, for the record. */
  readonly who: string;
  /** Calls at a time; absent: as many as the provider gains from. */
  readonly concurrency?: number;
  /** Aborted when the command is interrupted: it stops between two chunks. */
  readonly signal: AbortSignal;
  /** Rejects when the command is interrupted. */
  readonly sleep: (ms: number) => Promise<void>;
  /** Milliseconds to wait for another run to end. */
  readonly waitMs: number;
  /** Waits between attempts of a call; for tests. */
  readonly waits?: readonly number[];
  /** Called before the first call to the provider. */
  readonly onRun: (id: string) => void;
  readonly onProgress: (done: number, total: number) => void;
  readonly onWarning: (text: string) => void;
}

/** Runs exclude each other. */
export function underLease<T>(id: string, deps: PeopleDeps, work: () => Promise<T>): Promise<T> {
  return withLease(deps.lease, id, { sleep: deps.sleep, waitMs: deps.waitMs }, work);
}

export function ledgerOf(runId: string, { database, lease, directory, who }: PeopleDeps): Ledger {
  return openLedger(database, lease, { runId, issuer: directory.traits.issuer, who });
}

export function callsOf(deps: PeopleDeps): Calls {
  const { directory, lease, clock, concurrency, sleep, waits } = deps;
  return openCalls(directory, {
    beforeCreate: pauseGuard(deps),
    lease,
    clock,
    sleep,
    concurrency: concurrency ?? directory.traits.concurrency,
    ...(waits !== undefined && { waits }),
  });
}

/** Throws ProvisioningRefused with everything that is missing, ProviderStopped. */
export async function assertRights({ directory, onWarning }: PeopleDeps): Promise<void> {
  const report = await directory.rights();
  const { provider } = directory.traits;
  if (report.outcome !== 'rights') throw new ProviderStopped(provider, report);
  for (const { problem, remedy } of report.warnings) onWarning(`${provider}: ${problem}: ${remedy}`);
  if (report.missing.length === 0) return;
  const lines = report.missing.map(({ right, remedy }) => `  ${right}: ${remedy}`);
  throw new ProvisioningRefused([`the token for ${provider} lacks rights:`, ...lines].join('\n'));
}

const LOOK_MS = 1_000;

/** Rejects within a second of a pause of the migration, and costs a query a second. */
function pauseGuard({ database, clock }: Pick<PeopleDeps, 'database' | 'clock'>): () => Promise<void> {
  let lookedAt = -Infinity;
  return async () => {
    const now = clock.now();
    if (now >= lookedAt && now - lookedAt < LOOK_MS) return;
    lookedAt = now;
    await assertNotPaused(database);
  };
}

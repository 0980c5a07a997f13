import { audit } from '../people/audit.ts';
import { LeaseLost } from '../runs/lease.ts';
import { assertRights, callsOf, ledgerOf, underLease, type PeopleDeps } from './deps.ts';
import { groupsThatStand } from './groups.ts';
import { choose, handOver, roomOf, toResolution } from './hand-over.ts';
import type { Ledger, LedgerState } from './ledger.ts';
import { removeGone } from './make.ts';
import { countSkipped, type Scope } from './people.ts';
import { existingAccounts, findLeftOut, type Counts } from './plan.ts';
import {
  assertNoneUnfinished,
  assertNotPaused,
  ProvisioningRefused,
  type PeopleRun,
  type ProvisionPlan,
} from './run.ts';

export interface ProvisionRequest {
  readonly tenant: string | null;
  readonly limit: number | null;
  readonly passwords: boolean;
  /** Ids of a file; null: everybody without an account. */
  readonly listed: ReadonlySet<string> | null;
}

export interface Provisioned {
  readonly runId: string;
  readonly counts: Counts;
}

/**
 * Makes an account for each user of the request who has none, and links it. Throws ProvisioningRefused, ProviderStopped, LeaseHeld,
 * LeaseLost, and as `Database`: the run then goes on where it stopped, by its id.
 */
export function provision(request: ProvisionRequest, deps: PeopleDeps): Promise<Provisioned> {
  const id = deps.random.uuid();
  return underLease(id, deps, async () => {
    await assertNoneUnfinished(deps.runs);
    const { provider, issuer } = deps.directory.traits;
    const { tenant, limit, passwords, listed } = request;
    const plan = { kind: 'provision', provider, issuer, tenant, limit, passwords } as const;
    await assertNotPaused(deps.database);
    const state = listed === null ? 'running' : 'listing';
    const run = { id, plan: { ...plan, listed: listed !== null }, fingerprint: id, state } as const;
    await deps.runs.create(run);
    deps.onRun(id);
    if (listed !== null) {
      await ledgerOf(id, deps).list([...listed]);
      await deps.runs.advance(id, 'running', 0);
    }
    return execute({ ...run, progress: 0 }, run.plan, deps);
  });
}

/** Goes on with a run that was cut off. Throws as `provision`. */
export function resume(id: string, deps: PeopleDeps): Promise<Provisioned> {
  return underLease(id, deps, async () => {
    const run = await deps.runs.find(id);
    if (run?.plan.kind !== 'provision') throw new ProvisioningRefused(`there is no provisioning run ${id}`);
    const { provider, issuer } = deps.directory.traits;
    if (run.plan.issuer !== issuer)
      throw new ProvisioningRefused(`run ${id} is at ${run.plan.issuer}, and ${provider} is at ${issuer}`);
    if (run.state === 'undoing' || run.state === 'undone')
      throw new ProvisioningRefused(`run ${id} is ${run.state}: \`sallyport users rollback ${id}\``);
    if (run.state === 'listing')
      throw new ProvisioningRefused(
        `run ${id} was cut off before its file was read: \`sallyport users rollback ${id}\`, then begin anew`,
      );
    await assertNotPaused(deps.database);
    deps.onRun(id);
    return execute(run, run.plan, deps);
  });
}

async function execute(run: PeopleRun, plan: ProvisionPlan, deps: PeopleDeps): Promise<Provisioned> {
  const ledger = ledgerOf(run.id, deps);
  try {
    return await carryOn(run, plan, ledger, deps);
  } catch (error) {
    // Where no account was made there is nothing to go on with, and nothing to undo.
    if (!(error instanceof LeaseLost) && !hasBegun(await ledger.counts()))
      await deps.runs.advance(run.id, 'refused', 0);
    throw error;
  }
}

const LEFT_OUT: readonly string[] = ['listed', 'collision', 'refused'] satisfies LedgerState[];

function hasBegun(counts: Awaited<ReturnType<Ledger['counts']>>): boolean {
  return Object.keys(counts).some((state) => !LEFT_OUT.includes(state));
}

async function carryOn(
  { id: runId, state }: PeopleRun,
  plan: ProvisionPlan,
  ledger: Ledger,
  deps: PeopleDeps,
): Promise<Provisioned> {
  const { traits } = deps.directory;
  const scope = { issuer: traits.issuer, tenant: plan.tenant, listedIn: plan.listed ? runId : null };
  const calls = callsOf(deps);
  await assertRights(deps);
  await ledger.settle();
  await removeGone({ calls, ledger });
  if (state !== 'done') {
    const leftOut = await findLeftOut(scope, deps);
    const chosen = await choose(scope, runId, leftOut, roomOf(plan, await ledger.counts()), deps);
    await ledger.leaveOut(chosen.leftOut.map(toResolution));
    const groups = await groupsThatStand(chosen.tenants, deps);
    const existing = await existingAccounts(deps, plan.tenant);
    const make = { ...deps, calls, traits, groups, ledger, passwords: plan.passwords };
    await handOver({ scope, runId, leftOut, existing: existing.ids, room: chosen.count, make }, ledger, deps);
    // Who was deleted since their account was made.
    await ledger.settle();
    await removeGone({ calls, ledger });
  }
  const counts = await countsOf(scope, runId, ledger, deps);
  if (state !== 'done') await finish(runId, counts, deps);
  return { runId, counts };
}

async function finish(runId: string, counts: Counts, deps: PeopleDeps): Promise<void> {
  await deps.runs.advance(runId, 'done', 0, { ...counts });
  await audit(deps.database, { who: deps.who, what: 'run', from: 'cli', run: runId, detail: { ...counts } });
}

/** Of the whole run, the processes before this one included. */
async function countsOf(
  scope: Scope,
  runId: string,
  ledger: Ledger,
  { database }: PeopleDeps,
): Promise<Counts> {
  const counts = await ledger.counts();
  const { created = 0, collision = 0, refused = 0, failed = 0, removed = 0 } = counts;
  const linked = (counts.linked ?? 0) + (counts.signed_in ?? 0);
  const skipped = removed + (await countSkipped(database, scope, runId));
  return { created, linked, collisions: collision, refused, failed, skipped };
}

import type { Directory } from '../ports/directory.ts';
import type { Clock, Random } from '../ports/runtime.ts';
import { audit } from '../people/audit.ts';
import { LeaseLost, withLease } from '../runs/lease.ts';
import { openCalls, ProviderStopped, type Calls } from './calls.ts';
import type { Skeleton } from './collisions.ts';
import { groupsThatStand } from './groups.ts';
import { openLedger, type Ledger, type LedgerState, type Resolution } from './ledger.ts';
import { allOf, makeAccounts, removeGone, type MakeDeps } from './make.ts';
import { candidates, countSkipped, type Scope, type User } from './people.ts';
import { existingAccounts, planPeople, type Counts, type LeftOut } from './plan.ts';
import {
  assertNoneUnfinished,
  assertNotPaused,
  ProvisioningRefused,
  type Books,
  type PeopleRun,
  type ProvisionPlan,
} from './run.ts';

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

export interface ProvisionRequest {
  readonly tenant: string | null;
  readonly limit: number | null;
  readonly passwords: boolean;
  /** Ids of a file; null: everybody without an account. */
  readonly listed: AsyncIterable<string> | null;
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
    if (listed !== null) await keepListed(id, listed, deps);
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

/** Runs exclude each other. */
export function underLease<T>(id: string, deps: PeopleDeps, work: () => Promise<T>): Promise<T> {
  return withLease(deps.lease, id, { sleep: deps.sleep, waitMs: deps.waitMs }, work);
}

const LISTED_PAGE = 1_000;

async function keepListed(id: string, listed: AsyncIterable<string>, deps: PeopleDeps): Promise<void> {
  const ledger = ledgerOf(id, deps);
  let page: string[] = [];
  for await (const each of listed) {
    page.push(each);
    if (page.length < LISTED_PAGE) continue;
    await ledger.list(page);
    page = [];
  }
  await ledger.list(page);
  await deps.runs.advance(id, 'running', 0);
}

export function ledgerOf(runId: string, { database, lease, directory, who }: PeopleDeps): Ledger {
  return openLedger(database, lease, { runId, issuer: directory.traits.issuer, who });
}

export function callsOf({ directory, lease, clock, concurrency, sleep, waits }: PeopleDeps): Calls {
  return openCalls(directory, {
    lease,
    clock,
    sleep,
    concurrency: concurrency ?? directory.traits.concurrency,
    ...(waits !== undefined && { waits }),
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
    const { leftOut } = await planPeople(scope, deps);
    const chosen = await choose(scope, runId, leftOut, roomOf(plan, await ledger.counts()), deps);
    await ledger.leaveOut(chosen.leftOut.map(toResolution));
    const groups = await groupsThatStand(chosen.tenants, deps);
    const existing = await existingAccounts(deps, plan.tenant);
    const make = { calls, traits, groups, ledger, passwords: plan.passwords };
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

/** How many more people may be handed over. */
function roomOf({ limit }: ProvisionPlan, counts: Awaited<ReturnType<Ledger['counts']>>): number {
  if (limit === null) return Infinity;
  const { created = 0, linked = 0, failed = 0, removed = 0 } = counts;
  return Math.max(0, limit - created - linked - failed - removed);
}

interface Chosen {
  readonly leftOut: readonly LeftOut[];
  readonly count: number;
  readonly tenants: ReadonlySet<string>;
}

/** Who is handed over to the provider, by number and tenant, and who is left out of the same users. */
async function choose(
  scope: Scope,
  runId: string,
  leftOut: ReadonlyMap<string, LeftOut>,
  room: number,
  { database }: PeopleDeps,
): Promise<Chosen> {
  const left: LeftOut[] = [];
  const tenants = new Set<string>();
  let count = 0;
  for await (const user of candidates(database, scope, runId)) {
    const out = leftOut.get(user.id);
    if (out !== undefined) left.push(out);
    else if (count < room) {
      count += 1;
      tenants.add(user.tenantId);
    }
  }
  return { leftOut: left, count, tenants };
}

function toResolution({ user, state, reason }: LeftOut): Resolution {
  return { userId: user.id, state, account: null, reason };
}

interface Work {
  readonly scope: Scope;
  readonly runId: string;
  readonly leftOut: ReadonlyMap<string, LeftOut>;
  readonly existing: ReadonlySet<string>;
  readonly room: number;
  readonly make: MakeDeps;
}

/** People per intention: enough for all calls at a time to be busy, few enough to be written often. */
const CHUNK = 4;
/** While the calls of one chunk are under way, the next one is written to the ledger. */
const LANES = 2;

async function handOver(work: Work, ledger: Ledger, deps: PeopleDeps): Promise<void> {
  const { make, room, existing } = work;
  const size = make.traits.batch * (deps.concurrency ?? make.traits.concurrency) * CHUNK;
  const chunks = inChunks(chosenOf(work, deps), Math.max(20, Math.min(400, size)));
  let done = 0;
  let failed = false;
  const lane = async (): Promise<void> => {
    for (;;) {
      deps.signal.throwIfAborted();
      const next = await chunks.next();
      if (next.done === true || failed) return;
      try {
        await assertNotPaused(deps.database);
        await makeAccounts(await ledger.intend(next.value, existing), make);
      } catch (error) {
        failed = true;
        throw error;
      }
      done += next.value.length;
      deps.onProgress(done, room);
    }
  };
  deps.onProgress(0, room);
  await allOf(Array.from({ length: LANES }, lane));
}

async function* chosenOf(
  { scope, runId, leftOut, room }: Work,
  { database }: PeopleDeps,
): AsyncGenerator<User> {
  let left = room;
  for await (const user of candidates(database, scope, runId)) {
    if (left === 0) return;
    if (leftOut.has(user.id)) continue;
    left -= 1;
    yield user;
  }
}

async function* inChunks(users: AsyncIterable<User>, size: number): AsyncGenerator<string[]> {
  let chunk: string[] = [];
  for await (const { id } of users) {
    chunk.push(id);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
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

import * as z from 'zod';
import { audit } from '../people/audit.ts';
import { PASSWORD_CARRIED } from '../people/users.ts';
import { sql } from '../ports/database.ts';
import type { Calls } from './calls.ts';
import { compare, type Difference, type DifferenceKind, type Linked } from './compare.ts';
import { groupsThatStand, standingGroups, type TenantGroup } from './groups.ts';
import { latestResults, type Ledger } from './ledger.ts';
import { GONE, mendGroups, notMoved } from './mend-groups.ts';
import { makeAccounts, removeGone } from './make.ts';
import { displayNameOf, ELIGIBLE, USERS } from './people.ts';
import { assertRights, callsOf, ledgerOf, underLease, type PeopleDeps } from './deps.ts';
import { assertNotPaused } from './run.ts';

export type DifferenceCounts = Readonly<Record<DifferenceKind, number>>;

export interface Reconciled {
  /** Null where nothing was to be mended. */
  readonly runId: string | null;
  /** As they were found. */
  readonly counts: DifferenceCounts;
  readonly fixed: number;
  /** Differences that remain, with why. */
  readonly left: readonly Remaining[];
}

export interface Remaining {
  readonly difference: Difference;
  readonly reason: string | null;
}

function noDifferences(): Record<DifferenceKind, number> {
  return { missing: 0, orphaned: 0, mail: 0, name: 0, group: 0, state: 0, half_made: 0 };
}

/** Compares database and provider. Reads alone. Throws ProvisioningRefused, ProviderStopped, and as `Database`. */
export async function findDifferences(tenant: string | null, deps: PeopleDeps): Promise<Reconciled> {
  const counts = noDifferences();
  const left: Remaining[] = [];
  await assertRights(deps);
  await compare(tenant, deps, (difference) => {
    counts[difference.kind] += 1;
    left.push({ difference, reason: null });
  });
  return { runId: null, counts, fixed: 0, left };
}

/**
 * Mends what differs, by what the database has; orphans stay as they are. What was cut off is found again by the next run.
 * Throws as `findDifferences`, and LeaseHeld, LeaseLost.
 */
export function mend(tenant: string | null, deps: PeopleDeps): Promise<Reconciled> {
  const fresh = deps.random.uuid();
  return underLease(fresh, deps, async () => {
    await assertNotPaused(deps.database);
    const found = await findDifferences(tenant, deps);
    const cutOff = await cutOffRun(deps);
    if (cutOff === undefined && found.left.every(({ difference }) => difference.kind === 'orphaned'))
      return found;
    const { provider, issuer } = deps.directory.traits;
    const runId = cutOff ?? fresh;
    if (cutOff === undefined)
      await deps.runs.create({
        id: runId,
        fingerprint: runId,
        plan: { kind: 'reconcile', provider, issuer, tenant },
        state: 'running',
      });
    deps.onRun(runId);
    const left = await mendAll(runId, found.left, deps);
    const fixed = found.left.length - left.length;
    const detail = { ...found.counts, fixed, left: left.length };
    await deps.runs.advance(runId, 'done', 0, detail);
    await audit(deps.database, { who: deps.who, what: 'run', from: 'cli', run: runId, detail });
    return { runId, counts: found.counts, fixed, left };
  });
}

async function cutOffRun({ runs, directory }: PeopleDeps): Promise<string | undefined> {
  const run = await runs.unfinished();
  const ours =
    run?.plan.kind === 'reconcile' && run.state === 'running' && run.plan.issuer === directory.traits.issuer;
  return ours ? run.id : undefined;
}

async function mendAll(runId: string, found: readonly Remaining[], deps: PeopleDeps): Promise<Remaining[]> {
  const ledger = ledgerOf(runId, deps);
  const calls = callsOf(deps);
  const left: Remaining[] = [];
  const accountless: Difference[] = [];
  const moved: Difference[] = [];
  const groups = found.some(({ difference }) => difference.kind === 'group')
    ? await standingGroups(deps)
    : [];
  let done = 0;
  for (const { difference } of found) {
    deps.signal.throwIfAborted();
    if (difference.kind === 'missing' || difference.kind === 'half_made') {
      accountless.push(difference);
      continue;
    }
    const reason = await mendOne(difference, groups, calls, deps);
    if (reason === undefined && difference.kind === 'group') moved.push(difference);
    if (reason !== undefined) left.push({ difference, reason });
    deps.onProgress((done += 1), found.length);
  }
  for (const [difference, reason] of await notMoved(moved, groups, calls, deps))
    left.push({ difference, reason });
  return [...left, ...(await makeAgain(runId, accountless, calls, ledger, deps))];
}

/** Undefined when it is mended; else why not. */
async function mendOne(
  { kind, user, account }: Difference,
  groups: readonly TenantGroup[],
  calls: Calls,
  deps: PeopleDeps,
): Promise<string | undefined> {
  if (user === null) return 'nobody has this account: it is for an administrator to delete';
  if (kind === 'group') return mendGroups(user, groups, calls);
  const result = await changeOf(kind, user, account, calls);
  switch (result.outcome) {
    case 'done':
      if (result.passwordDropped) await carryAgain(user, deps);
      return undefined;
    case 'clash':
      return `another account has the same ${result.fields.join(' and ')}`;
    case 'absent':
      return GONE;
    default:
      return result.reason;
  }
}

/** Where the account is synced, a change drops its password: the next sign-in by password carries it again. */
async function carryAgain({ id, email }: Linked, { database, onWarning }: PeopleDeps): Promise<void> {
  await database.execute(sql`
    update sallyport_people set flags = flags - ${PASSWORD_CARRIED}::text where user_id = ${id}`);
  onWarning(`${email}: the password at the provider is gone until the next sign-in by password`);
}

function changeOf(kind: DifferenceKind, user: Linked, account: string, calls: Calls) {
  if (kind === 'mail')
    return calls.update(account, { mail: { address: user.email, verified: user.emailVerified } });
  if (kind === 'name') return calls.update(account, { displayName: displayNameOf(user) });
  return user.active ? calls.enable(account) : calls.disable(account);
}

/** Accounts that are missing, and links to those that a cut-off call has made. */
async function makeAgain(
  runId: string,
  differences: readonly Difference[],
  calls: Calls,
  ledger: Ledger,
  deps: PeopleDeps,
): Promise<Remaining[]> {
  await ledger.settleRelinking();
  await removeGone({ calls, ledger });
  const of = (kind: DifferenceKind): string[] =>
    differences.flatMap(({ kind: each, user }) => (each === kind && user !== null ? [user.id] : []));
  // What an earlier process of this run was cut off at is no difference any more where the call was carried out.
  const again = new Set([...of('missing'), ...(await ledger.intended())]);
  const halves = await byRun(of('half_made'), runId, deps);
  const users = [...again, ...of('half_made')];
  if (users.length === 0) return [];
  const groups = await groupsThatStand(await tenantsOfUsers(users, deps), deps);
  const make = { ...deps, calls, traits: deps.directory.traits, groups, passwords: true };
  await makeAccounts(await ledger.intendAgain([...again]), { ...make, ledger });
  for (const [id, ids] of halves) {
    const its = ledgerOf(id, deps);
    await makeAccounts(await its.intend(ids, new Set(id === runId ? ids : [])), { ...make, ledger: its });
  }
  const results = await latestResults(deps.database, users);
  return differences.flatMap((difference) => {
    const result = results.get(difference.user?.id ?? '');
    const mended = result !== undefined && ['created', 'linked', 'removed'].includes(result.state);
    return mended ? [] : [{ difference, reason: result?.reason ?? 'the user may have no account any more' }];
  });
}

const IntendedRow = z.object({ runId: z.string(), userId: z.string() });

/** Who was made half by a run that was cut off belongs to that run: its rollback removes them. */
async function byRun(
  userIds: readonly string[],
  runId: string,
  { database }: PeopleDeps,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await database.query(
    sql`select distinct on (user_id) run_id as "runId", user_id as "userId" from sallyport_ledger
        where user_id = any(${[...userIds]}::uuid[]) and state = 'intended' order by user_id, at desc`,
    IntendedRow,
  );
  const owners = new Map(rows.map((row) => [row.userId, row.runId]));
  const halves = new Map<string, string[]>();
  for (const userId of userIds) {
    const owner = owners.get(userId) ?? runId;
    halves.set(owner, [...(halves.get(owner) ?? []), userId]);
  }
  return halves;
}

const TenantRow = z.object({ id: z.string() });

async function tenantsOfUsers(
  userIds: readonly string[],
  { database }: PeopleDeps,
): Promise<ReadonlySet<string>> {
  const rows = await database.query(
    sql`select distinct u.tenant_id as id from ${USERS} where u.user_id = any(${[...userIds]}::uuid[]) and ${ELIGIBLE}`,
    TenantRow,
  );
  return new Set(rows.map(({ id }) => id));
}

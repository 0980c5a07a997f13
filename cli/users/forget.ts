import { setTimeout } from 'node:timers/promises';
import * as z from 'zod';
import { COUNTERS } from '../../shared/configuration/stores.ts';
import { MIGRATION, type DirectoryConfig } from '../../shared/configuration/providers.ts';
import { openCounting, openDirectory } from '../../shared/deps.ts';
import { auditInsert } from '../../shared/people/audit.ts';
import { hasPasswords } from '../../shared/people/users.ts';
import { parseRows, sql, type Database, type Sql } from '../../shared/ports/database.ts';
import { isFailure, type Directory } from '../../shared/ports/directory.ts';
import { markEnded, type MarkDeps } from '../../shared/sessions/revocation.ts';
import { endingAll, sessionEnding, which } from '../../shared/sessions/store.ts';
import { uuidOf } from '../../shared/uuid.ts';
import { Failure } from '../failure.ts';
import { withGround } from '../ground.ts';
import { operator } from '../people/ground.ts';
import { ReferenceRow, referencesTo } from '../people/references.ts';
import { print, printJson } from '../terminal.ts';
import { findUser } from './find.ts';
import { counting, erasing, holdingsOf, isAt, readHeld, type FoundAccount, type Held } from './held.ts';

export interface ForgetCommand {
  readonly tenant?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

type Counts = Readonly<Record<string, number>>;

interface Forgotten {
  readonly accounts: readonly FoundAccount[];
  /** Accounts at providers that are not configured here: to be deleted there by hand. */
  readonly elsewhere: readonly FoundAccount[];
  readonly rows: Counts;
  /** What becomes of the row of `users`; `none`: it was gone before. */
  readonly user: 'removed' | 'anonymised' | 'none';
}

/** Erases one person: at the provider first, then here. Again, after the provider was away, it goes on. */
export async function runForget(who: string, options: ForgetCommand): Promise<void> {
  await withGround(MIGRATION.and(COUNTERS), async (config, ground) => {
    const { database } = ground;
    const { directory } = config.migration;
    const id = uuidOf(who) ?? (await findUser(database, who, options.tenant ?? null)).id;
    const { held, accounts } = await readHeld(database, id);
    const plan = await planOf(held, accounts, directory, database);
    const nothing = plan.user === 'none' && Object.values(plan.rows).every((n) => n === 0);
    // A person removed by the clean-up is in its archive only: the audit entry keeps `cleanup restore` from bringing them back.
    if (nothing && (options.yes !== true || (await isForgotten(id, database)))) {
      report(id, options, plan, 'nothing');
      return;
    }
    if (options.dryRun === true || options.yes !== true) {
      report(id, options, plan, 'dry-run');
      if (options.dryRun !== true) throw new Failure('this cannot be undone: --yes does it');
      return;
    }
    const counters = openCounting(config, ground);
    try {
      await shut(id, database, { ...counters, log: ground.log });
    } finally {
      counters.disconnect();
    }
    const here = plan.accounts.filter((each) => !plan.elsewhere.includes(each));
    await deleteAccounts(here, directory === null ? null : openDirectory({ directory }, ground));
    report(id, options, { ...plan, ...(await erase(held, database)) }, 'done');
  });
}

async function planOf(
  held: Held,
  accounts: readonly FoundAccount[],
  directory: DirectoryConfig | null,
  database: Database,
): Promise<Forgotten> {
  const { id, email } = held;
  const before = referencesTo(sql`select ${id}::uuid`);
  const holdings = holdingsOf(held, { held: true }).filter(({ reduced }) => reduced !== null);
  const results = await database.transaction([
    ...before,
    ...holdings.map((holding) => sql`select ${counting(holding)}::int as n`),
  ]);
  const named = parseRows(results[before.length - 1]?.rows ?? [], ReferenceRow);
  const counts = results.slice(before.length).map(({ rows }) => parseRows(rows, CountRow)[0]?.n ?? 0);
  return {
    accounts,
    elsewhere: accounts.filter((each) => !isAt(each, directory)),
    rows: Object.fromEntries(holdings.map(({ name }, at) => [name, counts[at] ?? 0])),
    // A row that the application's own tables name is not deleted, since theirs would go with it.
    user: email === null || email === anonymous(id) ? 'none' : named.length === 0 ? 'removed' : 'anonymised',
  };
}

const CountRow = z.object({ n: z.number() });

async function isForgotten(id: string, database: Pick<Database, 'query'>): Promise<boolean> {
  const rows = await database.query(
    sql`select 1 from sallyport_audit where subject = ${id}::uuid and what = 'forgotten' limit 1`,
    { parse: () => true },
  );
  return rows.length > 0;
}

function anonymous(id: string): string {
  return `forgotten-${id}@invalid`;
}

const EndedRow = z.object({ id: z.string() });
/** An instance without a shared store reads every second which sessions have ended. */
const SEEN_MS = 2_500;

/** Deactivates the user and ends the sessions; returns once every instance refuses their tokens. */
async function shut(id: string, database: Database, deps: MarkDeps): Promise<void> {
  await database.execute(
    sql`update users set status = 'inactive' where user_id = ${id}::uuid and status = 'active'`,
  );
  const ending = sessionEnding(which.allOf(sql`${id}::uuid`), 'account not active');
  const ended = await endingAll(database, id, ending, EndedRow);
  if (ended.length === 0) return;
  await markEnded(
    ended.map((session) => session.id),
    deps,
  );
  await setTimeout(SEEN_MS);
}

async function deleteAccounts(accounts: readonly FoundAccount[], directory: Directory | null): Promise<void> {
  for (const { subject } of accounts) {
    if (directory === null)
      throw new Failure(
        `no provider is configured here, and account ${subject} would stay: nothing was erased`,
      );
    const result = await directory.delete(subject);
    if (isFailure(result))
      throw new Failure(
        `${directory.traits.provider} did not delete account ${subject} (${result.reason}): nothing was erased, the person cannot sign in; run this again`,
      );
  }
}

/** All of it or nothing. */
async function erase(held: Held, database: Database): Promise<Pick<Forgotten, 'rows' | 'user'>> {
  const { id } = held;
  const holdings = holdingsOf(held, { held: true }).flatMap((holding) => {
    const change = erasing(holding);
    return change === null ? [] : [{ name: holding.name, change }];
  });
  const before = referencesTo(sql`select ${id}::uuid`);
  const forgotten = { who: operator(), what: 'forgotten', subject: id, from: 'cli' } as const;
  const results = await database.transaction([
    ...before,
    ...holdings.map(({ change }) => change),
    sql`delete from users where user_id = ${id}::uuid and not exists (select from sallyport_named where rows > 0)`,
    anonymising(id, await hasPasswords(database)),
    auditInsert(forgotten),
  ]);
  const counts = results.slice(before.length).map(({ count }) => count);
  const rows = Object.fromEntries(holdings.map(({ name }, at) => [name, counts[at] ?? 0]));
  const [removed = 0, anonymised = 0] = counts.slice(holdings.length);
  return { rows, user: removed > 0 ? 'removed' : anonymised > 0 ? 'anonymised' : 'none' };
}

function anonymising(id: string, passwords: boolean): Sql {
  const more = passwords
    ? sql`, password_hash = null, kanidm_user_id = null, kanidm_synced_at = null, migration_invited_at = null, locked_until = null`
    : sql``;
  return sql`update users set email = ${anonymous(id)}, email_verified = false, email_verified_at = null, full_name = null,
      avatar_url = null, phone = null, last_login_at = null, status = 'inactive', deleted_at = coalesce(deleted_at, now()) ${more}
    where user_id = ${id}::uuid`;
}

function report(
  id: string,
  { json }: ForgetCommand,
  done: Forgotten,
  how: 'done' | 'dry-run' | 'nothing',
): void {
  const { accounts, elsewhere, rows, user } = done;
  if (json === true) {
    printJson({
      user: id,
      dry_run: how === 'dry-run',
      forgotten: how !== 'dry-run',
      row: user,
      accounts,
      elsewhere,
      rows,
    });
    return;
  }
  if (how === 'nothing') {
    print(`nothing is held of ${id}: forgotten already, or never there`);
    return;
  }
  const would = how === 'done' ? 'was' : 'would be';
  print(`user ${id}: the row ${user === 'none' ? 'is gone already' : `${would} ${user}`}`);
  for (const { issuer, subject } of accounts)
    if (!elsewhere.some((each) => each.subject === subject))
      print(`  account ${subject}${issuer === null ? '' : ` at ${issuer}`} ${would} deleted`);
  for (const { issuer, subject } of elsewhere)
    print(
      `  account ${subject} at ${issuer ?? 'Kanidm'} has to be deleted there: that provider is not configured here`,
    );
  for (const [name, n] of Object.entries(rows)) if (n > 0) print(`  ${n} ${name.replaceAll('_', ' ')}`);
  if (how === 'dry-run') print('nothing was changed');
}

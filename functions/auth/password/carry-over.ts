import * as z from 'zod';
import { auditInsert } from '../../../shared/people/audit.ts';
import { MIGRATION_SWITCH } from '../../../shared/people/tenants.ts';
import { PASSWORD_CARRIED } from '../../../shared/people/users.ts';
import { json, sql, type Database, type Sql } from '../../../shared/ports/database.ts';
import type { Directory } from '../../../shared/ports/directory.ts';
import type { Log } from '../../../shared/ports/log.ts';
import type { PasswordDeps } from '../deps.ts';
import type { Account } from './accounts.ts';

interface CarryOverDeps {
  readonly database: Pick<Database, 'query' | 'execute'>;
  readonly directory: Directory;
  readonly log: Pick<Log, 'warn'>;
  /** Makes the account of one user, beside any run. */
  readonly provision: (userId: string) => Promise<{ readonly outcome: string; readonly reason?: string }>;
}

/**
 * Carries a user over to the provider at sign-in by password. Where the provider takes hashes, the account is made with that of the
 * password; where it needs the plain text, an existing account is given it. Never rejects: a sign-in neither waits for it nor fails by it.
 */
export function carryOver(deps: CarryOverDeps): NonNullable<PasswordDeps['carryOver']> {
  const { passwords } = deps.directory.traits;
  return async (account, password) => {
    const { userId, migration } = account;
    if (!mayCarry(account)) return;
    try {
      if (passwords === 'hash' && migration !== 'provisioned') await provisioned(userId, deps);
      if (passwords === 'sign-in') await carried(userId, password, deps);
    } catch (error) {
      report(userId, error instanceof Error ? error.message : 'unknown', deps);
    }
  };
}

/** Not after a sign-in at the provider: the credentials there are then the user's own choice. */
export function mayCarry({ migration }: Account): boolean {
  return migration !== 'excluded' && migration !== 'completed';
}

async function provisioned(userId: string, deps: CarryOverDeps): Promise<void> {
  const { outcome, reason = outcome } = await deps.provision(userId);
  if (outcome === 'failed') report(userId, reason, deps);
}

const AccountRow = z.object({
  account: z.string(),
  /** When the password was set; text, since a Date has no microseconds. */
  of: z.string().nullable(),
});

async function carried(userId: string, password: string, deps: CarryOverDeps): Promise<void> {
  const { database, directory } = deps;
  const [row] = await database.query(
    sql`select l.subject as account, u.password_changed_at::text as of
        from sallyport_links l join users u on u.user_id = l.user_id
        where l.user_id = ${userId}::uuid and l.issuer = ${directory.traits.issuer}::text
          and not exists (select from sallyport_people p where p.user_id = l.user_id and p.flags ? ${PASSWORD_CARRIED})
          and not exists (select from sallyport_switches where name = ${MIGRATION_SWITCH})`,
    AccountRow,
  );
  if (row === undefined) return;
  const result = await directory.carryPassword(row.account, { plain: password });
  // Changed meanwhile: the provider has the former one, until the next sign-in carries the new one.
  const same = sql`(select from users where user_id = ${userId}::uuid
    and password_changed_at is not distinct from ${row.of}::timestamptz for share)`;
  await recordCarried(userId, result, deps, same);
}

/**
 * Records what became of a password at the provider, unless the next attempt may go another way. `when`: a query without whose rows
 * nothing is recorded.
 */
export async function recordCarried(
  userId: string,
  result: Awaited<ReturnType<Directory['carryPassword']>>,
  deps: Pick<CarryOverDeps, 'database' | 'log'>,
  when: Sql = sql`(select)`,
): Promise<void> {
  if (result.outcome !== 'carried' && result.outcome !== 'refused') {
    report(userId, 'reason' in result ? result.reason : result.outcome, deps);
    return;
  }
  const taken = result.outcome === 'carried';
  const entry = {
    who: userId,
    what: 'provisioned',
    subject: userId,
    from: 'sign-in',
    detail: { password: result.outcome, why: taken ? null : result.reason },
  } as const;
  await deps.database.execute(sql`
    with flagged as (
      insert into sallyport_people as kept (user_id, flags)
      select ${userId}::uuid, ${json({ [PASSWORD_CARRIED]: taken })}::jsonb from ${when} as now
      on conflict (user_id) do update set flags = kept.flags || excluded.flags returning user_id
    ) ${auditInsert(entry, sql`flagged`)}`);
}

/** An update by which a new password goes along with the next sign-in. `who`: a CTE of user_id. */
export function carriedAgain(who: Sql): Sql {
  return sql`update sallyport_people set flags = flags - ${PASSWORD_CARRIED}::text where user_id in (select user_id from ${who}) and flags ? ${PASSWORD_CARRIED}`;
}

function report(userId: string, reason: string, { log }: Pick<CarryOverDeps, 'log'>): void {
  log.warn('user not carried over at sign-in, the next one tries again', { user: userId, reason });
}

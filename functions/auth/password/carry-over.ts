import * as z from 'zod';
import { auditInsert } from '../../../shared/people/audit.ts';
import { MIGRATION_SWITCH } from '../../../shared/people/tenants.ts';
import { PASSWORD_BEHIND, PASSWORD_CARRIED } from '../../../shared/people/users.ts';
import { hashFault } from '../../../shared/provisioning/people.ts';
import { json, sql, type Database, type Sql } from '../../../shared/ports/database.ts';
import type { Directory } from '../../../shared/ports/directory.ts';
import type { Log } from '../../../shared/ports/log.ts';
import type { Account } from './accounts.ts';

interface CarryOverDeps {
  readonly database: Pick<Database, 'query' | 'execute'>;
  readonly directory: Directory;
  readonly log: Pick<Log, 'warn'>;
  /** Makes the account of one user, beside any run. */
  readonly provision: (userId: string) => Promise<{ readonly outcome: string; readonly reason?: string }>;
  /** A hash that every provider takes. */
  readonly hash: (password: string) => Promise<string>;
}

/** None of them rejects: nothing waits for it or fails by it. */
export interface CarryOver {
  /** After a right password. */
  readonly signedIn: (account: Movable, password: string) => Promise<void>;
  /** After a new one was set here. */
  readonly changed: (account: Movable, password: string) => Promise<void>;
}

type Movable = Pick<Account, 'userId' | 'migration'>;

/**
 * Carries users over to the provider while their passwords are in hand. Where the provider takes hashes, the account is made with that of
 * the password; where it needs the plain text, an existing account is given it. A password that was changed here goes along again.
 */
export function carryOver(deps: CarryOverDeps): CarryOver {
  const { passwords } = deps.directory.traits;
  const carrying = (work: (account: Movable, password: string) => Promise<void>) => {
    return async (account: Movable, password: string): Promise<void> => {
      if (!mayCarry(account)) return;
      try {
        await work(account, password);
      } catch (error) {
        report(account.userId, error instanceof Error ? error.message : 'unknown', deps);
      }
    };
  };
  const again = async ({ userId }: Movable, password: string): Promise<void> => {
    if (passwords !== 'none') await carried(userId, password, deps);
  };
  return {
    signedIn: carrying(async (account, password) => {
      if (passwords === 'hash' && account.migration !== 'provisioned')
        await provisioned(account.userId, deps);
      await again(account, password);
    }),
    changed: carrying(again),
  };
}

/** Not after a sign-in at the provider: the credentials there are then the user's own choice. */
export function mayCarry({ migration }: Movable): boolean {
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
  hash: z.string().nullable(),
});
const DoneRow = z.object({ done: z.boolean() });

async function carried(userId: string, password: string, deps: CarryOverDeps): Promise<void> {
  const { database, directory } = deps;
  const { issuer, passwords } = directory.traits;
  // Accounts that were made with the hash have it, unless another password was set here since.
  const due =
    passwords === 'hash'
      ? sql`exists (select from sallyport_people p where p.user_id = l.user_id and p.flags ? ${PASSWORD_BEHIND})`
      : sql`not exists (select from sallyport_people p where p.user_id = l.user_id and p.flags ? ${PASSWORD_CARRIED})`;
  const [row] = await database.query(
    sql`select l.subject as account, u.password_changed_at::text as of, u.password_hash as hash
        from sallyport_links l join users u on u.user_id = l.user_id
        where l.user_id = ${userId}::uuid and l.issuer = ${issuer}::text and ${due}
          and not exists (select from sallyport_switches where name = ${MIGRATION_SWITCH})`,
    AccountRow,
  );
  if (row === undefined) return;
  const hash = hashFault(row.hash) === undefined ? row.hash : null;
  const given = passwords === 'hash' ? { hash: hash ?? (await deps.hash(password)) } : { plain: password };
  const result = await directory.carryPassword(row.account, given);
  if (result.outcome === 'carried' && passwords === 'sign-in') await keepDisabled(userId, row.account, deps);
  // Changed meanwhile: the provider has the former one, until the next sign-in carries the new one.
  const same = sql`(select from users where user_id = ${userId}::uuid
    and password_changed_at is not distinct from ${row.of}::timestamptz for share)`;
  await recordCarried(userId, result, deps, same);
}

/**
 * Where the plain text is needed, the whole entry of the account is written with it, as it was read: a user who was suspended between the
 * two would be enabled again.
 */
async function keepDisabled(
  userId: string,
  account: string,
  { database, directory, log }: CarryOverDeps,
): Promise<void> {
  const [row] = await database.query(
    sql`select exists (select from users u join tenants t on t.tenant_id = u.tenant_id where u.user_id = ${userId}::uuid
          and u.status = 'active' and u.deleted_at is null and t.status = 'active' and t.deleted_at is null) as done`,
    DoneRow,
  );
  if (row?.done === true) return;
  const { outcome } = await directory.disable(account);
  if (outcome !== 'done' && outcome !== 'absent')
    log.warn('account of a suspended user not disabled again, `users reconcile --fix` does', {
      user: userId,
    });
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
      on conflict (user_id) do update set flags = (kept.flags - ${PASSWORD_BEHIND}::text) || excluded.flags returning user_id
    ) ${auditInsert(entry, sql`flagged`)}`);
}

/** An insert by which a new password goes along, with the next sign-in at the latest. `who`: a CTE of user_id. */
export function carriedAgain(who: Sql): Sql {
  return sql`insert into sallyport_people as kept (user_id, flags) select user_id, ${json({ [PASSWORD_BEHIND]: true })}::jsonb from ${who}
    on conflict (user_id) do update set flags = (kept.flags - ${PASSWORD_CARRIED}::text) || excluded.flags`;
}

function report(userId: string, reason: string, { log }: Pick<CarryOverDeps, 'log'>): void {
  log.warn('user not carried over, the next sign-in tries again', { user: userId, reason });
}

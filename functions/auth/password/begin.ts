import * as z from 'zod';
import { Refusal } from '../../../shared/errors.ts';
import { auditInsert } from '../../../shared/people/audit.ts';
import { sql, type Sql } from '../../../shared/ports/database.ts';
import type { TokenPair } from '../../../shared/sessions/cookies.ts';
import { issue, type Origin } from '../../../shared/sessions/refresh.ts';
import { sessionInserts } from '../../../shared/sessions/store.ts';
import { refreshDeps, type PasswordDeps } from '../deps.ts';
import { MOST_ACCOUNTS, type Account } from './accounts.ts';
import { isCut, type UsableHash } from './hashes.ts';
import { flagging } from './refused.ts';

interface RightPassword {
  readonly account: Account;
  readonly hash: UsableHash;
  readonly password: string;
  readonly origin: Origin;
}

const BegunRow = z.object({ id: z.string() });

/**
 * Begins a session, in one statement with all that a sign-in changes. Undefined where the account was locked, deactivated or given another
 * password since it was read: a guess among many at the same time does not get in past the lock.
 */
export async function beginByPassword(
  right: RightPassword,
  deps: PasswordDeps,
): Promise<TokenPair | undefined> {
  const { account, password, origin } = right;
  const sessionId = deps.random.uuid();
  const session = { ...account, sessionId, method: 'jwt' as const };
  const renewed = await renewedHash(right, deps);
  const issued = await issue(session, 0, await deps.keyRing.current(), refreshDeps(deps));
  const { address, userAgent, requestId } = origin;
  const signedIn = {
    who: account.userId,
    what: 'signed_in',
    subject: account.userId,
    from: address ?? 'unknown',
    run: requestId,
    detail: { session: sessionId, by: 'password' },
  } as const;
  const rows = await deps.database.query(
    sql`with person as (
          update users set last_login_at = now(), failed_login_attempts = 0, locked_until = null
            ${renewed === null ? sql`` : sql`, password_hash = ${renewed}`}
          where user_id = ${account.userId}::uuid and password_hash = ${account.passwordHash} and status = 'active'
            and deleted_at is null and auth_method <> 'kanidm' and (locked_until is null or locked_until <= now())
          returning user_id, tenant_id
        ) ${sessionInserts({ ...session, ...issued, address, userAgent }, sql`person`)},
        audited as (${auditInsert(signedIn, sql`person`)})
        ${noted(isCut(password), account, deps)}
        select user_id as id from person`,
    BegunRow,
  );
  return rows.length === 1 ? issued.pair : undefined;
}

/** Further CTEs: flags a password over 72 bytes, and a user whose password can be carried over. */
function noted(cut: boolean, { migration }: Account, { config }: PasswordDeps): Sql {
  const flagged = cut
    ? sql`, flagged as (${flagging(sql`select user_id from person`, 'over_72_bytes')})`
    : sql``;
  if (cut || config.migration.provider !== 'kanidm' || migration === 'completed') return flagged;
  return sql`${flagged}, ready as (
    insert into sallyport_people (user_id, ready_at) select user_id, now() from person
    on conflict (user_id) do update set ready_at = excluded.ready_at)`;
}

/** A hash of PASSWORD_COST where the stored one is cheaper; of a password that would be cut none is made anew. */
async function renewedHash(
  { hash, password }: RightPassword,
  { config, hashing }: PasswordDeps,
): Promise<string | null> {
  if (hash.cost >= config.passwordCost || isCut(password)) return null;
  try {
    return await hashing.hash(password, config.passwordCost);
  } catch (error) {
    // It waits for the next sign-in.
    if (error instanceof Refusal) return null;
    throw error;
  }
}

/** Raises what a refused sign-in without a tenant costs, once an address has more accounts than any before. */
export function moreAccounts(count: number): Sql {
  return sql`insert into sallyport_sign_in as kept (most_per_address) values (${Math.min(count, MOST_ACCOUNTS)})
    on conflict (one) do update set most_per_address = excluded.most_per_address, measured_at = now()
      where kept.most_per_address < excluded.most_per_address`;
}

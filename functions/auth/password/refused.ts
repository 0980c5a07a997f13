import { auditInsert } from '../../../shared/people/audit.ts';
import { json, sql, type Database, type Sql } from '../../../shared/ports/database.ts';
import type { Origin } from '../../../shared/sessions/refresh.ts';
import type { Barred } from './accounts.ts';

/** Failures that lock an account, and for how long the first of them does; each further one doubles it, to a day. */
const LOCKING_FAILURES = 5;
const LOCK_MINUTES = 15;
const MOST_DOUBLINGS = 7;

/** Why a sign-in was refused, for the audit alone. */
export interface Refused {
  /** Null where no account has the address. */
  readonly userId: string | null;
  readonly why: Barred | 'unknown' | 'wrong_password';
}

/**
 * Records refused sign-ins: wrong passwords count towards the lock, unusable hashes are flagged. One statement that does the same work
 * for every refusal, so that concurrent failures all count, and its time shows no reason.
 */
export async function recordRefused(
  database: Pick<Database, 'execute'>,
  refused: readonly Refused[],
  origin: Origin,
): Promise<void> {
  const wrong = refused.flatMap(({ userId, why }) =>
    userId !== null && why === 'wrong_password' ? [userId] : [],
  );
  const unusable = refused.flatMap(({ userId, why }) =>
    userId !== null && why === 'unusable_hash' ? [userId] : [],
  );
  const from = origin.address ?? 'unknown';
  await database.execute(sql`
    with failed as (${failureOf(sql`user_id = any(${wrong}::uuid[])`)}),
    flagged as (${flagging(sql`select user_id from users where user_id = any(${unusable}::uuid[])`, 'unusable_hash')}),
    locked as (
      insert into sallyport_audit (who, what, subject, source, run)
      select 'anonymous', 'account_locked', user_id, ${from}::text, ${origin.requestId}::text from failed where locked
    )
    insert into sallyport_audit (who, what, subject, source, run, detail)
    select 'anonymous', 'sign_in_refused', r.subject, ${from}::text, ${origin.requestId}::text, jsonb_build_object('why', r.why)
    from unnest(${refused.map(({ userId }) => userId)}::uuid[], ${refused.map(({ why }) => why)}::text[]) as r (subject, why)`);
}

/** Counts a failure, as the legacy application does. Its rows: user_id, and whether the account is locked now. */
export function failureOf(who: Sql): Sql {
  const count = sql`failed_login_attempts + 1`;
  const length = sql`least(interval '24 hours', interval '1 minute' * ${LOCK_MINUTES}::int
    * power(2, least(${count} - ${LOCKING_FAILURES}::int, ${MOST_DOUBLINGS}::int)))`;
  return sql`update users set failed_login_attempts = ${count},
      locked_until = case when ${count} >= ${LOCKING_FAILURES}::int
        then greatest(coalesce(locked_until, now()), now() + ${length}) else locked_until end
    where ${who} returning user_id, locked_until > now() as locked`;
}

/** Flags people, each once. `who`: a query of user_id. */
export function flagging(who: Sql, flag: 'unusable_hash' | 'over_72_bytes'): Sql {
  return sql`insert into sallyport_people as kept (user_id, flags) select user_id, ${json({ [flag]: true })}::jsonb from (${who}) w
    on conflict (user_id) do update set flags = kept.flags || excluded.flags where not kept.flags ? ${flag}`;
}

/** A refusal after a right password: no failure. */
export async function recordHeldBack(
  database: Pick<Database, 'execute'>,
  userIds: readonly string[],
  why: 'tenant_required' | 'password_deadline_passed',
  { address, requestId }: Origin,
): Promise<void> {
  const [only] = userIds;
  await database.execute(
    auditInsert({
      who: only !== undefined && userIds.length === 1 ? only : 'anonymous',
      what: 'sign_in_refused',
      subject: userIds.length === 1 ? only : null,
      from: address ?? 'unknown',
      run: requestId,
      detail: { why },
    }),
  );
}

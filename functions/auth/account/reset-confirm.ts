import * as z from 'zod';
import type { RouteContext } from '../../../shared/edge/frame.ts';
import { auditInsert } from '../../../shared/people/audit.ts';
import { PEOPLE, PERSON, PersonRow } from '../../../shared/people/users.ts';
import { sql } from '../../../shared/ports/database.ts';
import { markEnded } from '../../../shared/sessions/revocation.ts';
import { endingAll, sessionEnding, which } from '../../../shared/sessions/store.ts';
import type { PasswordDeps } from '../deps.ts';
import { carriedAgain } from '../password/carry-over.ts';
import { requireStrong } from './policy.ts';
import { invalidToken, tokenDigest } from './link-tokens.ts';

const DoneRow = z.object({ userId: z.string().nullable(), ids: z.array(z.string()) });

/** Throws Refusal `invalid_reset_token` and `weak_password`; a token that is refused for its password is not spent. */
export async function confirmReset(
  { token, new_password }: { readonly token: string; readonly new_password: string },
  { address: from, id: run }: RouteContext,
  deps: PasswordDeps,
): Promise<void> {
  const digest = tokenDigest(token);
  const [owner] = await deps.database.query(
    sql`select ${PERSON} from sallyport_resets r join ${PEOPLE} on u.user_id = r.user_id
        where r.token_hash = ${digest} and r.expires_at > now() and ${SETTABLE}`,
    PersonRow,
  );
  if (owner === undefined) throw invalidToken();
  await requireStrong(new_password, [owner.email, owner.slug], deps);
  const hash = await deps.hashing.hash(new_password, deps.config.passwordCost);
  const { userId } = owner;
  const entry = { who: userId, what: 'password_reset', subject: userId, from, run } as const;
  const [done] = await endingAll(
    deps.database,
    userId,
    sql`with spent as (
          delete from sallyport_resets where user_id = ${userId}::uuid
            and exists (select from sallyport_resets where token_hash = ${digest} and expires_at > now())
          returning user_id, token_hash
        ), person as (
          update users u set password_hash = ${hash}, password_changed_at = now(), failed_login_attempts = 0, locked_until = null
          where u.user_id in (select user_id from spent where token_hash = ${digest}) and u.status = 'active'
            and u.deleted_at is null and u.password_hash is not null and u.auth_method <> 'kanidm'
          returning u.user_id
        ), ended as (${sessionEnding(which.allOf(sql`(select user_id from person)`), 'password reset')}),
        forgotten as (${carriedAgain(sql`person`)}), audited as (${auditInsert(entry, sql`person`)})
        select (select user_id from person) as "userId", coalesce((select array_agg(id) from ended), '{}') as ids`,
    DoneRow,
  );
  if (done === undefined || done.userId === null) throw invalidToken();
  await markEnded(done.ids, deps);
  if (deps.carryOver !== undefined) deps.platform.background(deps.carryOver.changed(owner, new_password));
}

/** A reset sets no password where there is none: users of the provider alone sign in there. */
const SETTABLE = sql`u.status = 'active' and u.deleted_at is null and t.status = 'active' and t.deleted_at is null
  and u.password_hash is not null and u.auth_method <> 'kanidm'`;

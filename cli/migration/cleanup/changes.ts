import type { MailKindName } from '../../../shared/mail/kinds.ts';
import type { DatabaseSession } from '../../../shared/database/session.ts';
import { sql } from '../../../shared/ports/database.ts';

const IS_LINKED = sql`u.kanidm_user_id is null and exists (select from sallyport_links l where l.user_id = u.user_id)`;

/** People with a link and no kanidm_user_id, and what a trigger of the application changes of them. */
export const LINKED = sql`create temp table sallyport_linked on commit drop as select u.user_id, u.updated_at from users u where ${IS_LINKED}`;

/** The id in a link may be no uuid. */
export const NAMED = sql`update users u set kanidm_user_id =
    case when exists (select from users k where k.kanidm_user_id = u.user_id) then gen_random_uuid() else u.user_id end
  where ${IS_LINKED}`;

/** Takes back what the trigger changed. */
export const UNTOUCHED = sql`update users u set updated_at = l.updated_at from sallyport_linked l where u.user_id = l.user_id`;

/** kanidm_user_id, as it was before NAMED. */
export const ACCOUNT = sql`case when not exists (select from sallyport_linked n where n.user_id = u.user_id) then u.kanidm_user_id end`;

/** Mails of invitations, registrations and new passwords. */
const LINKING: readonly MailKindName[] = [
  'invitation',
  'reminder',
  'deadline',
  'confirm-registration',
  'password-reset',
];

const AT_ONCE = 10_000;

/** What would come back to passwords. Invitations may be millions. */
export async function end(session: DatabaseSession): Promise<void> {
  await session.execute(
    sql`update sallyport_waves set state = 'cancelled', ended_at = now() where state = 'planned'`,
  );
  const living = sql`select invitation_id from sallyport_invitations where ended_at is null limit ${AT_ONCE}::int`;
  const ended = sql`update sallyport_invitations set ended_at = now(), end_reason = 'cancelled' where invitation_id in (${living})`;
  while ((await session.execute(ended)) === AT_ONCE);
  await session.execute(sql`delete from sallyport_registrations`);
  await session.execute(sql`delete from sallyport_resets`);
  // Their links are void now.
  await session.execute(
    sql`update sallyport_outbox set status = 'dead', last_error = 'the passwords were dropped', content = null, lease_id = null, lease_until = null
        where status = 'pending' and kind = any(${LINKING}::text[])`,
  );
}

import { addressHash, isSuppressed } from '../mail/outcomes.ts';
import { PEOPLE } from '../people/users.ts';
import { sql, type Sql } from '../ports/database.ts';

/**
 * In sallyport_people.flags once mail to the person has bounced for good, or was complained about: the SHA-256 of the address, so that it
 * is void once there is another one; or true.
 */
export const UNREACHABLE = 'unreachable';

/** In sallyport_people.flags since when a person wants no reminders: invitations are deleted some day, and this is not. */
export const UNSUBSCRIBED = 'unsubscribed';

/** Over rows `u` of users and `p` of sallyport_people. */
export const IS_UNREACHABLE = sql`coalesce(p.flags ->> ${UNREACHABLE}::text in ('true', ${unreachableMark(sql`u.email`)}), false)`;

/** The value of the flag; `address`: an expression. */
export function unreachableMark(address: Sql): Sql {
  return sql`encode(${addressHash(address)}, 'hex')`;
}

/** Rows `u` of users, `t` of tenants and `p` of sallyport_people. */
export { PEOPLE };

/** User and tenant are active, and neither is deleted. */
export const ACTIVE = sql`(u.status = 'active' and u.deleted_at is null and t.status = 'active' and t.deleted_at is null)`;

/** There is nothing to move: signed in by the provider, or never had a password. */
export const ACROSS = sql`(u.migration_completed_at is not null or u.auth_method = 'kanidm')`;

export const PROVISIONED = sql`(u.kanidm_user_id is not null or exists (select from sallyport_links l where l.user_id = u.user_id))`;

/**
 * The address as SMTP takes it without quoting (RFC 5321 §4.1.2): `isMailAddress` in SQL. Lengths apart, since Postgres
 * takes long for an expression that counts.
 */
const ADDRESS = sql`(u.email ~ '^[^[:space:][:cntrl:]@<>()\\[\\]\\\\,;:"]+@[^[:space:][:cntrl:]@<>()\\[\\]\\\\,;:"]+$'
  and position('@' in u.email) <= 65 and length(u.email) - position('@' in u.email) <= 253
  and u.email !~ '(^|[.@])\\.|\\.(@|$)')`;

/** No mail reaches the person: what is left is a printed code. */
export const UNMAILABLE = sql`(not ${ADDRESS} or ${IS_UNREACHABLE} or ${isSuppressed(sql`u.email`)})`;

/**
 * A person may be mailed about the move; `inviteCode`: an expression, true where the account may be made with the invitation.
 * The columns that the clean-up drops are named, since no wave outlives it.
 */
export function mailable(inviteCode: Sql): Sql {
  return sql`(${ACTIVE} and not ${ACROSS} and p.excluded_at is null and (${inviteCode} or ${PROVISIONED}) and not ${UNMAILABLE})`;
}

/**
 * The person of an invitation as a row `who` (user_id, email, full_name, tenant_id, slug, language), where `is` holds over PEOPLE. By its key,
 * whatever the planner expects: conditions as these make it expect a single person, and with that a plan that reads everybody for each.
 */
export function whoIs(userId: Sql, is: Sql): Sql {
  return sql`lateral (
    select u.user_id, u.email, u.full_name, t.tenant_id, t.slug, t.settings ->> 'language' as language
    from ${PEOPLE} where u.user_id = ${userId} and ${is} offset 0
  ) as who`;
}

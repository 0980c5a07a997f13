import * as z from 'zod';
import { auditInsert } from '../people/audit.ts';
import { addressHash } from '../mail/outcomes.ts';
import { PASSWORD_CARRIED } from '../people/users.ts';
import { accountOf, linked } from '../provisioning/people.ts';
import { sql, type Database, type Sql } from '../ports/database.ts';
import { personDeadlineOf } from './deadline.ts';
import { ACTIVE, PEOPLE } from './people.ts';

const LinkRow = z.object({
  userId: z.string(),
  email: z.string(),
  fullName: z.string().nullable(),
  tenantId: z.string(),
  slug: z.string(),
  /** The id of the account at the provider. */
  account: z.string(),
  provisioned: z.boolean(),
  /** The account may be made with the invitation. */
  inviteCode: z.boolean(),
  /** The provider has the password. */
  carried: z.boolean(),
  deadline: z.date().nullable(),
  /** It led to the provider once. */
  spent: z.boolean(),
});

/** A link that counts, and whose it is. */
export type Link = Readonly<z.output<typeof LinkRow>>;

/** Over PEOPLE: signed in by the provider, or without a password. Through jsonb: pages outlive the columns that the clean-up drops. */
export const IS_ACROSS = sql`(to_jsonb(u) ->> 'migration_completed_at' is not null or coalesce(to_jsonb(u) ->> 'auth_method', 'kanidm') = 'kanidm')`;

/** Steps `s` with their invitations `i`, PEOPLE, and waves `w`. */
export const LINKS = sql`sallyport_invitation_steps s join sallyport_invitations i on i.invitation_id = s.invitation_id
  join (${PEOPLE}) on u.user_id = i.user_id left join sallyport_waves w on w.wave_id = i.wave_id`;

/** A later link whose mail was sent: its step is settled some seconds after that. */
const REPLACED = sql`exists (
  select from sallyport_invitation_steps later join sallyport_outbox o on o.message_id = later.message_id
  where later.invitation_id = s.invitation_id and later.created_at > s.created_at and o.status = 'sent')`;

/**
 * Over LINKS: a link of somebody who is to move, with the address that it was made for, and none that was sent or printed after it. A spent
 * one counts until completion, since the provider's page does not lead back.
 */
const COUNTS = sql`s.superseded_at is null and not ${REPLACED} and (s.spent_at is not null or s.expires_at > now()) and i.ended_at is null
  and i.address_hash = ${addressHash(sql`u.email`)} and ${ACTIVE} and p.excluded_at is null and not ${IS_ACROSS}`;

/** Over LINKS: a token that was mailed within a year. */
export const WITHIN_A_YEAR = sql`coalesce(s.sent_at, s.created_at) > now() - interval '1 year'`;

/**
 * Undefined for a token that does not count, whatever the reason. `issuer`: of the provider that people move to; `seen`: whether this is a
 * person who looks at the page. Throws as `Database`.
 */
export async function readLink(
  database: Pick<Database, 'query'>,
  hash: Uint8Array,
  { issuer, seen }: { readonly issuer: string; readonly seen: boolean },
): Promise<Link | undefined> {
  const [row] = await database.query(
    sql`with link as (
          select i.invitation_id, u.user_id as "userId", u.email, u.full_name as "fullName", t.tenant_id as "tenantId", t.slug,
            ${accountOf(issuer)} as account, ${linked(issuer)} as provisioned, coalesce(w.invite_code, false) as "inviteCode",
            coalesce(p.flags -> ${PASSWORD_CARRIED} = 'true', false) as carried,
            ${personDeadlineOf(sql`u.user_id`, sql`u.tenant_id`)} as deadline, s.spent_at is not null as spent
          from ${LINKS} where s.token_hash = ${hash} and ${COUNTS}
        ), seen as (
          update sallyport_invitations i set seen_at = now() from link
          where i.invitation_id = link.invitation_id and i.seen_at is null and ${seen}::boolean
        ) select * from link`,
    LinkRow,
  );
  return row;
}

/** Longer than a provider is waited for. After it a claim whose process died is void. */
const CLAIM_SECONDS = 60;

/** Of many requests with one unspent token at a time, one: it spends or releases it. False for the others. Throws as `Database`. */
export async function claimLink(
  database: Pick<Database, 'execute'>,
  hash: Uint8Array,
  claim: string,
): Promise<boolean> {
  const changed = await database.execute(sql`
    update sallyport_invitation_steps set claimed_by = ${claim}::uuid, claimed_until = now() + interval '1 second' * ${CLAIM_SECONDS}::int
    where token_hash = ${hash} and spent_at is null and superseded_at is null and expires_at > now()
      and (claimed_until is null or claimed_until <= now())`);
  return changed === 1;
}

export interface Spending {
  readonly claim: string;
  readonly userId: string;
  /** An address, and the id of the request. */
  readonly from: string;
  readonly run: string;
}

/** False where the claim is void. Throws as `Database`. */
export async function spendLink(
  database: Pick<Database, 'query'>,
  hash: Uint8Array,
  { claim, userId, from, run }: Spending,
): Promise<boolean> {
  const entry = { who: userId, what: 'invitation_accepted', subject: userId, from, run } as const;
  const rows = await database.query(
    sql`with spent as (
          update sallyport_invitation_steps set spent_at = now(), claimed_until = null
          where token_hash = ${hash} and claimed_by = ${claim}::uuid and spent_at is null returning invitation_id
        ), accepted as (
          update sallyport_invitations i set accepted_at = coalesce(i.accepted_at, now()), seen_at = coalesce(i.seen_at, now())
          from spent where i.invitation_id = spent.invitation_id
        ), audited as (${auditInsert(entry, sql`spent`)})
        select invitation_id as id from spent`,
    z.object({ id: z.string() }),
  );
  return rows.length === 1;
}

/** Throws as `Database`. */
export async function releaseLink(
  database: Pick<Database, 'execute'>,
  hash: Uint8Array,
  claim: string,
): Promise<void> {
  await database.execute(sql`
    update sallyport_invitation_steps set claimed_until = null
    where token_hash = ${hash} and claimed_by = ${claim}::uuid and spent_at is null`);
}

/** An update of a statement's CTE: the invitation of who has signed in by the provider is over. `userId`: an expression. */
export function completing(userId: Sql): Sql {
  return sql`update sallyport_invitations set completed_at = coalesce(completed_at, now()), ended_at = now(), end_reason = 'completed'
    where user_id = ${userId} and ended_at is null`;
}

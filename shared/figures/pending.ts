import * as z from 'zod';
import { sql, type Sql } from '../ports/database.ts';
import { classesOf, STATES, stateOf, type List } from './classes.ts';
import { paged, parsedCursor, readRows, time, type Page, type PageOptions, type Reads } from './read.ts';
import type { Scope } from './scope.ts';

const PendingPerson = z.object({
  email: z.string(),
  full_name: z.string().nullable(),
  last_login_at: time.nullable(),
  migration_invited_at: time.nullable(),
  state: z.enum(STATES),
  /** Why the person has not completed, in words for an operator; null for who has. */
  why: z.string().nullable(),
  tenant: z.string(),
  user_id: z.string(),
});
export type PendingPerson = z.output<typeof PendingPerson>;

export interface PendingOptions extends PageOptions {
  /** Default: not_completed. */
  readonly list?: List;
}

const Cursor = z.tuple([z.string().max(40), z.uuid()]);
/** Without an address: deleted since the figures were taken. */
const Listed = PendingPerson.extend({
  seen: z.string(),
  email: z.string().nullable(),
  tenant: z.string().nullable(),
});

/**
 * People of a list, newest sign-in first; who never signed in comes last. Addresses, names and reasons are read now, the list itself
 * is as of the figures. Throws InvalidCursor.
 */
export async function readPending(
  database: Reads,
  scope: Scope,
  { list = 'not_completed', limit, cursor }: PendingOptions,
): Promise<Page<PendingPerson>> {
  const after = cursor === undefined ? undefined : parsedCursor(cursor, Cursor);
  const before =
    after === undefined
      ? sql``
      : sql`and (p.seen_at, p.user_id) < (${after[0]}::timestamptz, ${after[1]}::uuid)`;
  const theirs = scope === 'all' ? sql`` : sql`and p.tenant_id = ${scope.tenantId}::uuid`;
  // Each class by itself in the order of its index, which alone is read: as many of it as the page has.
  const page = sql`select p.seen_at, p.user_id from unnest(${classesOf(list)}::smallint[]) c (class)
    cross join lateral (
      select p.seen_at, p.user_id from sallyport_figures_people p
      where p.counted and p.class = c.class ${theirs} ${before}
      order by p.seen_at desc, p.user_id desc limit ${limit + 1}
    ) p order by p.seen_at desc, p.user_id desc limit ${limit + 1}`;
  const { as_of, rows } = await readRows(
    database,
    sql`select u.email, u.full_name, case when isfinite(p.seen_at) then p.seen_at end as last_login_at,
          p.invited_at as migration_invited_at, ${stateOf(sql`p.class`)} as state, ${WHY} as why, t.slug as tenant, p.user_id,
          p.seen_at::text as seen
        from (${page}) listed join sallyport_figures_people p on p.user_id = listed.user_id
          left join users u on u.user_id = p.user_id left join tenants t on t.tenant_id = u.tenant_id
          left join sallyport_people m on m.user_id = p.user_id
          left join lateral (
            select i.* from sallyport_invitations i where i.user_id = p.user_id order by i.created_at desc limit 1
          ) i on true
        order by p.seen_at desc, p.user_id desc`,
    Listed,
  );
  const cut = paged(rows, limit, ({ seen, user_id }) => [seen, user_id]);
  return {
    as_of,
    next: cut.next,
    rows: cut.rows.flatMap((row) => PendingPerson.safeParse(row).data ?? []),
  };
}

/** The first that applies, of a person `p` with their rows `u` of users, `m` of sallyport_people and `i`, their last invitation. */
const WHY: Sql = sql`case
  when p.excluded then 'excluded: ' || coalesce(m.excluded_reason, 'no reason given')
  when p.completed_at is not null then null
  when u.status <> 'active' then 'the account is ' || u.status
  when p.unreachable then 'no mail reaches the address'
  when not p.provisioned then coalesce(
    'no account at the provider: ' || (
      select l.reason from sallyport_ledger l where l.user_id = p.user_id and l.reason is not null order by l.at desc limit 1
    ), 'no account at the provider yet')
  when i.accepted_at is not null then 'went to the provider, not finished there'
  when i.seen_at is not null then 'opened the invitation, did not go on'
  when i.mailed_at is not null or p.invited_at is not null then 'has not opened the invitation'
  when i.queued_at is not null then 'the invitation is on its way'
  else 'not invited yet' end
  || case when p.completed_at is null and not p.excluded then
    case when i.unsubscribed_at is not null then '; wants no reminders' when i.later_until > now() then '; asked to be reminded later' else '' end
    || case when p.dormant then '; no sign-in for 180 days' else '' end
  else '' end`;

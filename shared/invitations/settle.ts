import * as z from 'zod';
import { hasPasswords } from '../people/users.ts';
import { sql, type Database, type Sql } from '../ports/database.ts';
import { within, type Range } from './due.ts';
import { LINK_DAYS, type Wave } from './wave.ts';

const BATCH = 1_000;

const FoundRow = z.object({ found: z.boolean() });
const SettledRow = z.object({ settled: z.number() });

/**
 * Records which mails of invitations were sent: a link counts from then on, reminders too, and the application sees
 * migration_invited_at. Returns how many were settled; `goesOn`: whether another batch may begin. Throws as `Database`.
 */
export async function settleSteps(
  database: Pick<Database, 'query' | 'execute'>,
  goesOn: () => boolean = () => true,
): Promise<number> {
  let total = 0;
  while (goesOn() && (await isAnySettled(database))) {
    while ((await database.execute(WITHHELD)) === BATCH);
    // Mails may outlive the clean-up, which drops the column that shows them to the application.
    const [row] = await database.query(settling(await hasPasswords(database)), SettledRow);
    total += row?.settled ?? 0;
    if (row === undefined || row.settled < BATCH) break;
  }
  return total;
}

/** Mails that have ended, those too that were set aside, and sent again by command. */
const OVER = sql`from sallyport_invitation_steps s join sallyport_invitations i on i.invitation_id = s.invitation_id
    left join sallyport_outbox o on o.message_id = s.message_id
  where s.sent_at is null and s.message_id is not null
    and (o.status = 'sent' or (s.settled_at is null and (o.id is null or o.status <> 'pending')))`;

async function isAnySettled(database: Pick<Database, 'query'>): Promise<boolean> {
  const [row] = await database.query(sql`select exists (select ${OVER}) as found`, FoundRow);
  return row?.found === true;
}

/**
 * First mails that were never offered to the mail server, since the tenant or the user was suspended by then, or the keys of their contents
 * are gone: as if they had not been made, so that they are made once they may be.
 */
const WITHHELD = sql`
  with withheld as (
    select s.invitation_id, s.message_id
    from sallyport_invitation_steps s join sallyport_outbox o on o.message_id = s.message_id
      join sallyport_invitations i on i.invitation_id = s.invitation_id join sallyport_waves w on w.wave_id = s.wave_id
    where s.step = 'invite' and s.settled_at is null and o.status = 'dead' and o.content is null and o.unanswered = 0
      and o.bounced_at is null and i.ended_at is null and w.state in ('running', 'paused')
    order by s.created_at, s.invitation_id limit ${BATCH} for no key update of s, i skip locked
  ), unmade as (
    delete from sallyport_invitation_steps s using withheld where s.invitation_id = withheld.invitation_id and s.step = 'invite'
  ), dropped as (
    delete from sallyport_outbox o using withheld where o.message_id = withheld.message_id
  )
  update sallyport_invitations i set queued_at = null from withheld where i.invitation_id = withheld.invitation_id`;

/**
 * The invitations are locked with their steps, so that of several instances one at a time changes the steps of an invitation. From the mail
 * on that was sent the links before it no longer count.
 */
function settling(passwords: boolean): Sql {
  return sql`
  with over as (
    select s.invitation_id, s.step, s.created_at, o.status is not distinct from 'sent' as sent, coalesce(o.finished_at, now()) as at
    ${OVER} order by s.created_at, s.invitation_id limit ${BATCH} for no key update of s, i skip locked
  ), settled as (
    update sallyport_invitation_steps s
    set settled_at = over.at, sent_at = case when over.sent then over.at end,
      expires_at = case when over.sent then over.at + interval '1 day' * ${LINK_DAYS}::int else now() end,
      superseded_at = coalesce(s.superseded_at, (
        select min(newer.at) from over newer
        where newer.sent and newer.invitation_id = over.invitation_id and newer.created_at > over.created_at))
    from over where s.invitation_id = over.invitation_id and s.step = over.step
    returning s.invitation_id, s.sent_at
  ), older as (
    update sallyport_invitation_steps s set superseded_at = newer.at
    from (select invitation_id, max(created_at) as created_at, max(at) as at from over where sent group by invitation_id) as newer
    where s.invitation_id = newer.invitation_id and s.created_at < newer.created_at and s.superseded_at is null
      -- A row is changed once in a statement.
      and (s.invitation_id, s.step) not in (select invitation_id, step from over)
  ), mailed as (
    update sallyport_invitations i set mailed_at = coalesce(i.mailed_at, first.at)
    from (select invitation_id, min(sent_at) as at from settled where sent_at is not null group by invitation_id) as first
    where i.invitation_id = first.invitation_id
    returning i.user_id, i.mailed_at
  )${passwords ? SHOWN : sql``}
  select count(*)::int as settled from settled`;
}

/** The application sees when a person was first mailed. */
const SHOWN = sql`, shown as (
    update users u set migration_invited_at = mailed.mailed_at from mailed
    where u.user_id = mailed.user_id and u.migration_invited_at is null
      -- In one order, so that two writers of several rows do not wait for each other.
      and u.user_id in (select user_id from users where user_id in (select user_id from mailed) order by user_id for no key update)
  )`;

/** Ends invitations of a range whose people are across, gone or excluded. Returns how many. Throws as `Database`. */
export function endInvitations(
  database: Pick<Database, 'execute'>,
  { id }: Pick<Wave, 'id'>,
  range: Range,
): Promise<number> {
  return database.execute(sql`
    update sallyport_invitations i set ended_at = now(), end_reason = over.reason,
      completed_at = case when over.reason = 'completed' then coalesce(i.completed_at, over.at, now()) else i.completed_at end
    from (
      select i.invitation_id, u.migration_completed_at as at,
        case when u.user_id is null or u.deleted_at is not null or t.deleted_at is not null then 'deleted'
          when p.excluded_at is not null then 'excluded'
          when u.migration_completed_at is not null or u.auth_method = 'kanidm' then 'completed' end as reason
      from sallyport_invitations i left join users u on u.user_id = i.user_id left join tenants t on t.tenant_id = u.tenant_id
        left join sallyport_people p on p.user_id = i.user_id
      where i.wave_id = ${id}::uuid and i.ended_at is null and ${within(range)}
    ) as over
    where i.invitation_id = over.invitation_id and over.reason is not null and i.ended_at is null`);
}

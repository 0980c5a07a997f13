import * as z from 'zod';
import { sql, type Database, type Sql } from '../ports/database.ts';
import { deadlineOf } from '../people/tenants.ts';
import type { StepDue } from './mailing.ts';
import { mailable, whoIs } from './people.ts';
import type { Reminder } from './steps.ts';
import type { Wave } from './wave.ts';

type WaveKey = Pick<Wave, 'id' | 'inviteCode' | 'deadline'>;

const DueRow = z.object({
  invitationId: z.string(),
  waveId: z.string().nullable(),
  step: z.string(),
  userId: z.string(),
  email: z.string(),
  fullName: z.string().nullable(),
  tenant: z.string(),
  language: z.string().nullable(),
  deadline: z.date().nullable(),
});

/** Columns of a StepDue beside `step` and the deadline, over invitations `i` and `who` they are of. */
export const STEP_DUE: Sql = sql`
  i.invitation_id as "invitationId", i.wave_id as "waveId", who.user_id as "userId", who.email, who.full_name as "fullName",
  who.slug as tenant, who.language`;
export const StepDueRow = DueRow;

const START = '00000000-0000-0000-0000-000000000000';

/** Invitations of a wave by their ids: those after `after`, up to `to`. */
export interface Range {
  readonly after: string;
  readonly to: string;
}

/** Living invitations looked at by one statement. */
const RANGE = 10_000;
const RangeRow = z.object({ to: z.string(), more: z.boolean() });

/** The next living invitations after `after`, null: the first ones; undefined when there are none. Throws as `Database`. */
export async function nextRange(
  database: Pick<Database, 'query'>,
  { id }: Pick<Wave, 'id'>,
  after: string | null,
): Promise<(Range & { readonly more: boolean }) | undefined> {
  const from = after ?? START;
  const [row] = await database.query(
    sql`with range as (
          select invitation_id from sallyport_invitations
          where wave_id = ${id}::uuid and ended_at is null and invitation_id > ${from}::uuid order by invitation_id limit ${RANGE}::int)
        select invitation_id as "to", (select count(*) from range) = ${RANGE}::int as more
        from range order by invitation_id desc limit 1`,
    RangeRow,
  );
  return row === undefined ? undefined : { after: from, ...row };
}

/** A condition on invitations `i`. */
export function within({ after, to }: Range): Sql {
  return sql`(i.invitation_id > ${after}::uuid and i.invitation_id <= ${to}::uuid)`;
}

const EVERYBODY: Range = { after: START, to: 'ffffffff-ffff-ffff-ffff-ffffffffffff' };

const whoIsMailable = ({ inviteCode }: WaveKey): Sql =>
  whoIs(sql`i.user_id`, mailable(sql`${inviteCode}::boolean`));

/** The earliest deadline of a person of the wave. */
function deadlineIn({ deadline }: WaveKey, tenantId: Sql): Sql {
  return sql`least(${deadline}::timestamptz, ${deadlineOf(tenantId)})`;
}

/** People of a wave whose first mail is not made, and whom mail reaches; `after`: the id of an invitation. Throws as `Database`. */
export function dueInvites(
  database: Pick<Database, 'query'>,
  wave: WaveKey,
  limit: number,
  after: string = START,
): Promise<StepDue[]> {
  return database.query(
    sql`select ${STEP_DUE}, 'invite' as step, ${deadlineIn(wave, sql`who.tenant_id`)} as deadline
        from sallyport_invitations i cross join ${whoIsMailable(wave)}
        where i.wave_id = ${wave.id}::uuid and i.queued_at is null and i.ended_at is null and i.invitation_id > ${after}::uuid
        order by i.invitation_id limit ${limit}::int`,
    DueRow,
  );
}

/** Each invitation of a wave with each of its reminders: `i`, `x.deadline`, `r.step`, `r.ms`, `x.due`. */
function remindersIn(wave: WaveKey, reminders: readonly Reminder[]): Sql {
  const deadline = sql`least(${wave.deadline}::timestamptz, d.deadline)`;
  return sql`
    sallyport_invitations i left join sallyport_tenants d on d.tenant_id = i.tenant_id
    cross join unnest(${reminders.map(({ step }) => step)}::text[], ${reminders.map(({ ms }) => ms)}::bigint[]) as r (step, ms)
    cross join lateral (select ${deadline} as deadline,
      case when r.ms > 0 then i.mailed_at else ${deadline} end + interval '1 millisecond' * r.ms as due) x
    where i.wave_id = ${wave.id}::uuid and i.ended_at is null and i.mailed_at is not null
      and x.due > i.mailed_at and (x.deadline is null or x.deadline > now()) and (r.ms < 0 or i.unsubscribed_at is null)`;
}

const NEGATIVE = 'remind--%';

/**
 * Reminders that are due and not made yet, one for each person: that to the deadline first, else the last. The others that came due
 * meanwhile are covered by it. Who accepted and did not finish is among them. Of the people of a range. Throws as `Database`.
 */
export function dueReminders(
  database: Pick<Database, 'query'>,
  wave: WaveKey,
  reminders: readonly Reminder[],
  limit: number,
  range: Range = EVERYBODY,
): Promise<StepDue[]> {
  const steps = sql`select from sallyport_invitation_steps s where s.invitation_id = i.invitation_id`;
  return database.query(
    sql`with i as materialized (
          select distinct on (i.invitation_id) i.invitation_id, i.wave_id, i.user_id, r.step, x.deadline
          from ${remindersIn(wave, reminders)} and ${within(range)} and x.due <= now()
            and (r.ms < 0 or i.later_until is null or i.later_until <= now())
            and not exists (${steps} and (s.step = r.step or s.settled_at is null
              or (s.created_at >= x.due and s.step like case when r.ms < 0 then ${NEGATIVE} else 'remind-%' end)))
          order by i.invitation_id, r.ms < 0 desc, x.due desc, r.step
        )
        select ${STEP_DUE}, i.step, i.deadline from i cross join ${whoIsMailable(wave)}
        order by i.invitation_id limit ${limit}::int`,
    DueRow,
  );
}

const LeftRow = z.object({ left: z.boolean() });

/**
 * Whether a wave still has something to do or to wait for: its deadline, a mail in the outbox, a link that counts, a reminder to come, or a
 * first mail. Throws as `Database`.
 */
export async function isAnythingLeft(
  database: Pick<Database, 'query'>,
  wave: WaveKey,
  reminders: readonly Reminder[],
): Promise<boolean> {
  const living = sql`sallyport_invitations i where i.wave_id = ${wave.id}::uuid and i.ended_at is null`;
  const [row] = await database.query(
    sql`select exists (select from ${living}) and (
          ${wave.deadline}::timestamptz > now() is true
          or exists (
            select from sallyport_invitation_steps s join sallyport_invitations i on i.invitation_id = s.invitation_id
            where s.wave_id = ${wave.id}::uuid and i.ended_at is null
              and (s.settled_at is null or (s.superseded_at is null and s.expires_at > now())))
          or exists (select from (select i.user_id from ${remindersIn(wave, reminders)} and greatest(x.due, i.later_until) > now()
            and (x.deadline is null or x.due < x.deadline) offset 0) as i cross join ${whoIsMailable(wave)})
        ) as left`,
    LeftRow,
  );
  return row?.left === true || (await dueInvites(database, wave, 1)).length > 0;
}

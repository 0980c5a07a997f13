import * as z from 'zod';
import { auditInsert } from '../people/audit.ts';
import { deadlineOf, migrationPaused } from '../people/tenants.ts';
import { sql, type Database, type Sql } from '../ports/database.ts';
import { STEP_DUE, StepDueRow } from './due.ts';
import { queueSteps, type MailingDeps } from './mailing.ts';
import { ACROSS, ACTIVE, mailable, PEOPLE, PROVISIONED, UNMAILABLE, whoIs } from './people.ts';
import type { By } from './waves.ts';

/** Why a person gets no further link. `busy`: another one is being made at this moment. */
export type NotSent =
  | 'unknown'
  | 'inactive'
  | 'completed'
  | 'excluded'
  | 'not_provisioned'
  | 'unreachable'
  | 'wave_paused'
  | 'migration_paused'
  | 'busy';

export type SentAgain =
  | { readonly ok: true; readonly invitationId: string; readonly step: string }
  | { readonly ok: false; readonly why: NotSent };

const StateRow = z.object({
  why: z
    .enum(['inactive', 'completed', 'excluded', 'not_provisioned', 'unreachable', 'wave_paused'])
    .nullable(),
});

const LIVING = sql`left join sallyport_invitations i on i.user_id = u.user_id and i.ended_at is null
  left join sallyport_waves w on w.wave_id = i.wave_id`;
const WITH_CODE = sql`coalesce(w.invite_code, false)`;

/** Undefined: a link may be sent. Throws as `Database`. */
export async function whyNotAgain(
  database: Pick<Database, 'query'>,
  userId: string,
): Promise<NotSent | undefined> {
  const [row] = await database.query(
    sql`select case when not ${ACTIVE} then 'inactive' when p.excluded_at is not null then 'excluded' when ${ACROSS} then 'completed'
          when not (${WITH_CODE} or ${PROVISIONED}) then 'not_provisioned' when ${UNMAILABLE} then 'unreachable'
          when w.state = 'paused' then 'wave_paused' end as why
        from ${PEOPLE} ${LIVING} where u.user_id = ${userId}::uuid`,
    StateRow,
  );
  if (row === undefined) return 'unknown';
  if (row.why !== null) return row.why;
  return (await migrationPaused(database)) ? 'migration_paused' : undefined;
}

/**
 * Mails a person a new link, as a step of the living invitation or of one without a wave: `renew` where they asked for it
 * themselves. The links before it count until that mail is sent. Throws as `Database`.
 */
export async function sendAgain(
  userId: string,
  by: By,
  deps: Omit<MailingDeps, 'database'> & { readonly database: Database },
  kind: 'resend' | 'renew' = 'resend',
): Promise<SentAgain> {
  const { database } = deps;
  const why = await whyNotAgain(database, userId);
  if (why !== undefined) return { ok: false, why };
  await database.execute(sql`
    insert into sallyport_invitations (user_id, tenant_id) select user_id, tenant_id from users where user_id = ${userId}::uuid
    on conflict (user_id) where ended_at is null do nothing`);
  const [due] = await database.query(nextStep(userId, kind), StepDueRow);
  // The wave's switch would hold it, though the wave may be over.
  if (due === undefined || (await queueSteps(null, [{ ...due, waveId: null }], deps)) === 0)
    return { ok: false, why: 'busy' };
  const { invitationId, step } = due;
  const entry = {
    ...by,
    what: 'invited',
    subject: userId,
    detail: { step, invitation: invitationId },
  } as const;
  await database.execute(auditInsert(entry));
  return { ok: true, invitationId, step };
}

function nextStep(userId: string, kind: string): Sql {
  const number = sql`(select count(*) + 1 from sallyport_invitation_steps s
    where s.invitation_id = i.invitation_id and s.step like ${`${kind}-%`})`;
  return sql`
    select ${STEP_DUE}, ${`${kind}-`}::text || ${number} as step,
      least(${deadlineOf(sql`who.tenant_id`)}, case when w.state in ('running', 'paused', 'done') then w.deadline end) as deadline
    from sallyport_invitations i left join sallyport_waves w on w.wave_id = i.wave_id
      cross join ${whoIs(sql`i.user_id`, mailable(WITH_CODE))}
    where i.user_id = ${userId}::uuid and i.ended_at is null`;
}

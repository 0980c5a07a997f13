import { addressCaller, rateLimited } from '../../shared/edge/quota.ts';
import type { RouteContext } from '../../shared/edge/frame.ts';
import { messageOf } from '../../shared/errors.ts';
import { personDeadlineOf } from '../../shared/invitations/deadline.ts';
import { STEP_DUE, StepDueRow } from '../../shared/invitations/due.ts';
import { IS_ACROSS, WITHIN_A_YEAR } from '../../shared/invitations/link.ts';
import { queueSteps, type StepDue } from '../../shared/invitations/mailing.ts';
import { ACTIVE, PROVISIONED, UNMAILABLE, whoIs } from '../../shared/invitations/people.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import type { RatePolicy } from '../../shared/ports/counters.ts';
import type { InvitesDeps } from './deps.ts';

/** Of one address: people who share one ask less often. */
const ASKED: RatePolicy = { name: 'invite-renew', limit: 20, windowMs: 3_600_000 };
/** New links of one person: so many a day, and this far apart. */
const A_DAY = 3;
const MINUTES_APART = 5;

/**
 * Mails a new link to the stored address of the person whom a token was mailed to, if it was, and if there is something to do. Neither
 * the answer nor its time shows that. Throws Refusal `rate_limited`, and as `Database` and `Counters`.
 */
export async function renew(
  hash: Uint8Array | null,
  { address }: Pick<RouteContext, 'address'>,
  deps: InvitesDeps,
): Promise<void> {
  const taken = await deps.counters.take({ caller: addressCaller(address), policy: ASKED });
  if (!taken.allowed) throw rateLimited(ASKED, taken);
  const due = await renewalOf(deps.database, hash ?? new Uint8Array());
  const { outbox } = deps;
  const { mail, migration } = deps.config;
  if (due === undefined || outbox === null || mail === null) return;
  const mailing = { ...deps, outbox, mail, publicUrl: deps.sessions.publicUrl, provider: migration.provider };
  const queued = queueSteps(null, [due], mailing).then(
    () => {
      outbox.nudge();
    },
    (error: unknown) => {
      deps.log.error('a new link of an invitation was not mailed', { reason: messageOf(error) });
    },
  );
  deps.platform.background(queued);
}

/** A person who may get one; over PEOPLE and a wave `w`. */
const RENEWABLE = sql`${ACTIVE} and p.excluded_at is null and not ${IS_ACROSS}
  and (coalesce(w.invite_code, false) or ${PROVISIONED}) and not ${UNMAILABLE}`;

/** The step of a new link; of a later wave where there is one. */
async function renewalOf(database: Pick<Database, 'query'>, hash: Uint8Array): Promise<StepDue | undefined> {
  const steps = sql`from sallyport_invitation_steps r where r.invitation_id = i.invitation_id and r.step like 'renew-%'`;
  const [due] = await database.query(
    sql`select ${STEP_DUE}, 'renew-' || (select count(*) + 1 ${steps}) as step,
          ${personDeadlineOf(sql`who.user_id`, sql`who.tenant_id`)} as deadline
        from sallyport_invitation_steps s join sallyport_invitations o on o.invitation_id = s.invitation_id
          join sallyport_invitations i on i.user_id = o.user_id and i.ended_at is null
          left join sallyport_waves w on w.wave_id = i.wave_id cross join ${whoIs(sql`i.user_id`, RENEWABLE)}
        where s.token_hash = ${hash} and ${WITHIN_A_YEAR}
          and not exists (select ${steps} and r.created_at > now() - interval '1 minute' * ${MINUTES_APART}::int)
          and (select count(*) ${steps} and r.created_at > now() - interval '1 day') < ${A_DAY}::int`,
    StepDueRow,
  );
  return due;
}

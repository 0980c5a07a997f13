import * as z from 'zod';
import { sql, type Database } from '../ports/database.ts';
import { percentText, triggerText } from './steps.ts';
import type { Trigger, Wave } from './wave.ts';

const MailsRow = z.object({ mails: z.number(), bounced: z.number(), complained: z.number() });
const SignInsRow = z.object({
  before: z.number(),
  failedBefore: z.number(),
  since: z.number(),
  failed: z.number(),
});
const TicketsRow = z.object({ tickets: z.number(), invited: z.number() });

type Judged = Pick<Wave, 'id' | 'stopWhen' | 'cohort'>;

/** Sign-ins below which a share of failures says nothing, and from which it is taken as it is. */
const FEWEST_SIGN_INS = 10;
const MANY_SIGN_INS = 100;
/** Of the normal distribution: 1 % above. */
const Z = 2.3263;

/** The least share behind so many failures, with 99 %: the lower end of Wilson's interval. A typing error is no outage. */
function leastShare(failed: number, all: number): number {
  const share = failed / all;
  const width = Z * Math.sqrt((share * (1 - share)) / all + Z ** 2 / (4 * all ** 2));
  return (share + Z ** 2 / (2 * all) - width) / (1 + Z ** 2 / all);
}

/**
 * Why a wave has to pause: the first of its triggers that is met, counted since its start or its last resume; undefined when none is.
 * Throws as `Database`.
 */
export async function triggerMet(
  database: Pick<Database, 'query'>,
  wave: Judged,
): Promise<string | undefined> {
  for (const trigger of wave.stopWhen) {
    const reason = await JUDGES[trigger.what](database, wave, trigger);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

type Judge = (
  database: Pick<Database, 'query'>,
  wave: Judged,
  trigger: Trigger,
) => Promise<string | undefined>;

const JUDGES: Readonly<Record<Trigger['what'], Judge>> = {
  async bounces(database, wave, trigger) {
    const { mails, bounced } = await mailsOf(database, wave);
    return over(trigger, bounced, mails, 'mails bounced');
  },
  async complaints(database, wave, trigger) {
    const { mails, complained } = await mailsOf(database, wave);
    return over(trigger, complained, mails, 'mails were complained about');
  },
  /** The share of failed sign-ins of its people, beside that of the week before the wave. */
  async failures(database, wave, trigger) {
    const { before, failedBefore, since, failed } = await signInsOf(database, wave);
    if (since < FEWEST_SIGN_INS) return undefined;
    const usual = before === 0 ? 0 : failedBefore / before;
    const now = failed / since;
    const least = since < MANY_SIGN_INS ? leastShare(failed, since) : now;
    if (least - usual <= trigger.most) return undefined;
    return `${triggerText(trigger)}: ${failed} of ${since} sign-ins of its people failed (${percentText(now)}), ${percentText(usual)} in the week before`;
  },
  async tickets(database, wave, trigger) {
    const { tickets, invited } = await ticketsOf(database, wave);
    if (invited === 0 || (tickets / invited) * 1_000 <= trigger.most) return undefined;
    return `${triggerText(trigger)}: ${tickets} tickets for ${invited} invited, ${Math.round((tickets / invited) * 1_000)} per 1,000`;
  },
};

function over(trigger: Trigger, count: number, mails: number, what: string): string | undefined {
  if (mails === 0 || count / mails <= trigger.most) return undefined;
  return `${triggerText(trigger)}: ${count} of ${mails} ${what} (${percentText(count / mails)})`;
}

const SINCE = sql`w.judged_since`;

/** Mails that the server took or refused. */
async function mailsOf(
  database: Pick<Database, 'query'>,
  { id }: Judged,
): Promise<z.output<typeof MailsRow>> {
  const [row] = await database.query(
    sql`select count(*) filter (where s.sent_at is not null or o.bounced_at is not null)::int as mails,
          count(o.bounced_at)::int as bounced, count(o.complained_at)::int as complained
        from sallyport_waves w join sallyport_invitation_steps s on s.wave_id = w.wave_id and s.created_at >= ${SINCE}
          join sallyport_outbox o on o.message_id = s.message_id
        where w.wave_id = ${id}::uuid`,
    MailsRow,
  );
  return row ?? { mails: 0, bounced: 0, complained: 0 };
}

async function signInsOf(
  database: Pick<Database, 'query'>,
  { id }: Judged,
): Promise<z.output<typeof SignInsRow>> {
  const before = sql`a.at < w.started_at`;
  const since = sql`a.at >= greatest(w.judged_since, now() - interval '7 days')`;
  const failed = sql`a.what = 'sign_in_refused'`;
  const [row] = await database.query(
    sql`select count(*) filter (where ${before})::int as before, count(*) filter (where ${before} and ${failed})::int as "failedBefore",
          count(*) filter (where ${since})::int as since, count(*) filter (where ${since} and ${failed})::int as failed
        from sallyport_waves w join sallyport_invitations i on i.wave_id = w.wave_id
          join sallyport_audit a on a.subject = i.user_id and a.what in ('signed_in', 'sign_in_refused')
            and a.at >= w.started_at - interval '7 days'
        where w.wave_id = ${id}::uuid`,
    SignInsRow,
  );
  return row ?? { before: 0, failedBefore: 0, since: 0, failed: 0 };
}

/** Tickets of the tenants of the wave, and those that name none. */
async function ticketsOf(
  database: Pick<Database, 'query'>,
  { id, cohort }: Judged,
): Promise<z.output<typeof TicketsRow>> {
  const tenants =
    cohort.tenants === null
      ? sql`true`
      : sql`(k.tenant_id is null or k.tenant_id = any(${cohort.tenants}::uuid[]))`;
  const [row] = await database.query(
    sql`select (select count(*) from sallyport_tickets k where k.at >= w.judged_since and ${tenants})::int as tickets,
          (select count(*) from sallyport_invitations i where i.wave_id = w.wave_id and i.queued_at is not null)::int as invited
        from sallyport_waves w where w.wave_id = ${id}::uuid`,
    TicketsRow,
  );
  return row ?? { tickets: 0, invited: 0 };
}

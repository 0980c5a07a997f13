import * as z from 'zod';
import { addressCaller, rateLimited } from '../../shared/edge/quota.ts';
import type { RouteContext } from '../../shared/edge/frame.ts';
import { messageOf } from '../../shared/errors.ts';
import { sendAgain } from '../../shared/invitations/again.ts';
import { IS_ACROSS, WITHIN_A_YEAR } from '../../shared/invitations/link.ts';
import { ACTIVE, PEOPLE } from '../../shared/invitations/people.ts';
import type { RatePolicy } from '../../shared/ports/counters.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import type { InvitesDeps } from './deps.ts';

/** Of one address: people who share one ask less often. */
const ASKED: RatePolicy = { name: 'invite-renew', limit: 20, windowMs: 3_600_000 };
/** New links of one person: so many a day, and this far apart. */
const A_DAY = 3;
const MINUTES_APART = 5;

/**
 * Mails a new link to the stored address of the person whom a token was mailed to, if there is something to do. Neither the answer nor its
 * time shows that. Throws Refusal `rate_limited`, and as `Database` and `Counters`.
 */
export async function renew(
  hash: Uint8Array | null,
  { address: from, id }: Pick<RouteContext, 'address' | 'id'>,
  deps: InvitesDeps,
): Promise<void> {
  const taken = await deps.counters.take({ caller: addressCaller(from), policy: ASKED });
  if (!taken.allowed) throw rateLimited(ASKED, taken);
  const userId = await mailedTo(deps.database, hash ?? new Uint8Array());
  const { outbox } = deps;
  const { mail, migration } = deps.config;
  if (userId === undefined || outbox === null || mail === null) return;
  const { publicUrl } = deps.sessions;
  const mailing = { ...deps, outbox, mail, publicUrl, provider: migration.provider };
  const sending = sendAgain(userId, { who: userId, from }, mailing, 'renew').then(
    (sent) => {
      if (sent.ok) outbox.nudge();
      else deps.log.info('no new link of an invitation', { request_id: id, why: sent.why });
    },
    (error: unknown) => {
      deps.log.error('a new link of an invitation was not mailed', {
        request_id: id,
        reason: messageOf(error),
      });
    },
  );
  deps.platform.background(sending);
}

const Id = z.object({ id: z.string() });

/** The person whom a token was mailed to, if they are to move and did not ask for too many. Throws as `Database`. */
async function mailedTo(database: Pick<Database, 'query'>, hash: Uint8Array): Promise<string | undefined> {
  const renewed = sql`from sallyport_invitation_steps r join sallyport_invitations o on o.invitation_id = r.invitation_id
    where o.user_id = u.user_id and r.step like 'renew-%'`;
  const [row] = await database.query(
    sql`select u.user_id as id
        from sallyport_invitation_steps s join sallyport_invitations i on i.invitation_id = s.invitation_id
          join (${PEOPLE}) on u.user_id = i.user_id
        where s.token_hash = ${hash} and ${WITHIN_A_YEAR} and ${ACTIVE} and p.excluded_at is null and not ${IS_ACROSS}
          and not exists (select ${renewed} and r.created_at > now() - interval '1 minute' * ${MINUTES_APART}::int)
          and (select count(*) ${renewed} and r.created_at > now() - interval '1 day') < ${A_DAY}::int`,
    Id,
  );
  return row?.id;
}

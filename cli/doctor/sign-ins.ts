import * as z from 'zod';
import { isOn } from '../../shared/configuration/sessions.ts';
import { writtenIn } from '../../shared/configuration/slice.ts';
import { green, NotSetUp, red, worst, yellow, type Finding } from '../../shared/checks/check.ts';
import { sql } from '../../shared/ports/database.ts';
import type { ZitadelReader } from '../../shared/zitadel/reader.ts';
import { environment } from '../terminal.ts';
import { isSet, withDatabase, type DoctorGround } from './ground.ts';
import { serviceAccount, unlessUnread } from './zitadel.ts';

/** Refused sign-ins of a day beside the daily average of the week before: those of this gateway, and those of Zitadel. */
export async function failedSignIns(ground: DoctorGround): Promise<Finding> {
  const here = isOn(writtenIn(environment), 'auth') && isSet('DATABASE_URL');
  const there = isSet('ZITADEL_SERVICE_TOKEN');
  if (!here && !there)
    throw new NotSetUp(
      'no sign-in can be looked at (ZITADEL_SERVICE_TOKEN is not set, nor DATABASE_URL with FUNCTIONS=auth)',
    );
  const looks = [...(here ? [ofGateway()] : []), ...(there ? [ofZitadel(ground)] : [])];
  return worst(await Promise.all(looks), '');
}

const FEW = 50;
const DAY_MS = 86_400_000;
const WEEK = 7;

function judged(where: string, { day, before }: { readonly day: number; readonly before: number }): Finding {
  const cause = `${day} sign-ins were refused ${where} within a day, ${before.toFixed(1)} a day in the week before`;
  if (day >= 4 * FEW && day > 10 * before) return red(cause);
  return day >= FEW && day > 3 * before ? yellow(cause) : green(cause);
}

const Refusals = z.object({ day: z.number(), before: z.number() });

function ofGateway(): Promise<Finding> {
  return withDatabase(async (database) => {
    const [row] = await database.query(
      sql`select count(*) filter (where at > now() - interval '1 day')::int as day,
            (count(*) filter (where at <= now() - interval '1 day') / 7.0)::float8 as before
          from sallyport_audit
          where what in ('sign_in_refused', 'account_locked') and at > now() - interval '8 days'`,
      Refusals,
    );
    return judged('here', row ?? { day: 0, before: 0 });
  });
}

function ofZitadel({ clock }: DoctorGround): Promise<Finding> {
  const reads = serviceAccount();
  const now = clock.now();
  const look = async (): Promise<Finding> => {
    const day = await refusals(reads, now - DAY_MS, now);
    const week = await refusals(reads, now - (WEEK + 1) * DAY_MS, now - DAY_MS);
    return judged('by Zitadel', { day, before: week / WEEK });
  };
  return unlessUnread(look());
}

/** What the session API and both sign-in pages write. */
const REFUSED = ['user.human.password.check.failed', 'user.human.mfa.otp.check.failed'];
const Events = z.object({ events: z.array(z.object({ creationDate: z.string() })).default([]) });
const PAGE = 500;
/** So many are plenty, whatever there are. */
const MOST_PAGES = 10;

/** Events between two moments, in milliseconds; MOST_PAGES pages of them at most. */
async function refusals(reads: ZitadelReader, since: number, until: number): Promise<number> {
  let count = 0;
  let after = new Date(since).toISOString();
  for (let page = 0; page < MOST_PAGES; page++) {
    const range = { since: after, until: new Date(until).toISOString() };
    const body = { asc: true, limit: PAGE, eventTypes: REFUSED, aggregateTypes: ['user'], range };
    const call = { method: 'POST', path: '/admin/v1/events/_search', body, right: 'events.read' } as const;
    const { events } = await reads.call(Events, call);
    count += events.length;
    const last = events.at(-1);
    if (last === undefined || events.length < PAGE) break;
    after = last.creationDate;
  }
  return count;
}

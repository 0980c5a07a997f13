import * as z from 'zod';
import type { AlarmName } from '../../shared/figures/alarms.ts';
import { acrossPercent, errorPercent, MOST_ERRORS_PERCENT, readCourse } from '../../shared/figures/kpis.ts';
import { forecast, peopleFor, TARGET } from '../../shared/figures/forecast.ts';
import { readDaily } from '../../shared/figures/read.ts';
import { messageOf } from '../../shared/errors.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import type { Exchange } from '../../shared/ports/runtime.ts';
import type { AlarmsConfig } from './slice.ts';

/** What one alarm is found to be. */
export interface Found {
  readonly name: AlarmName;
  readonly raised: boolean;
  readonly value: number | null;
  /** Figures and names; never addresses of people, nor secrets. */
  readonly detail: string;
}

export interface ConditionDeps {
  readonly database: Pick<Database, 'query'>;
  readonly exchange: Exchange;
  readonly config: { readonly alarms: AlarmsConfig };
}

/** Days that errors and bounces are counted over, the present one included. */
const DAYS = 7;
const MOST_BOUNCES = 2;
/** Callbacks or mails below which a share of them says nothing. */
const FEWEST = 10;
const MOST_QUEUED_S = 3_600;
const LOOK_MS = 5_000;

/** Each alarm that can be judged now; one that cannot stays as it is. Throws as `Database`. */
export async function findAlarms(deps: ConditionDeps): Promise<Found[]> {
  const { figuresKept } = deps.config.alarms;
  const found = await Promise.all([
    figuresKept ? rate(deps) : undefined,
    figuresKept ? errors(deps) : undefined,
    bounces(deps),
    queue(deps),
    providers(deps),
  ]);
  return found.filter((each) => each !== undefined);
}

async function rate({ database }: ConditionDeps): Promise<Found | undefined> {
  const reading = await readCourse(database, 'all', { ticketsTaken: false });
  if (reading.asOf === null) return undefined;
  const { p95, on_track, target } = forecast(reading);
  const across = acrossPercent(reading);
  const raised = on_track === false && reading.settled < peopleFor(TARGET.share, reading.active);
  const when =
    p95.date === null
      ? 'at no day, at this pace'
      : `on ${p95.date} (${p95.low ?? '?'} to ${p95.high ?? 'no end'})`;
  return {
    name: 'migration-rate',
    raised,
    value: across === null ? null : Number(across.toFixed(2)),
    detail: `${percent(across ?? 0)} are across; 95 % come ${when}${target === null ? '' : `, the target is ${target}`}`,
  };
}

async function errors({ database }: ConditionDeps): Promise<Found | undefined> {
  const { as_of, rows } = await readDaily(database, 'all', DAYS - 1);
  if (as_of === null) return undefined;
  const sum = (of: 'oauth_logins' | 'oauth_failures'): number => rows.reduce((all, row) => all + row[of], 0);
  const [logins, failures] = [sum('oauth_logins'), sum('oauth_failures')];
  const value = errorPercent({ logins, failures });
  return {
    name: 'callback-errors',
    raised: value !== null && value > MOST_ERRORS_PERCENT && logins + failures >= FEWEST,
    value: value === null ? null : Number(value.toFixed(4)),
    detail: `${failures} of ${logins + failures} callbacks of the last ${DAYS} days were refused; the target is below ${MOST_ERRORS_PERCENT} %`,
  };
}

const Bounces = z.object({ mails: z.number(), bounced: z.number() });

async function bounces({ database }: ConditionDeps): Promise<Found> {
  const [row] = await database.query(
    sql`select count(*) filter (where status = 'sent' or bounced_at is not null)::int as mails, count(bounced_at)::int as bounced
        from sallyport_outbox where status <> 'pending' and created_at > now() - interval '1 day' * ${DAYS}::int`,
    Bounces,
  );
  const { mails, bounced } = row ?? { mails: 0, bounced: 0 };
  const value = mails === 0 ? null : (100 * bounced) / mails;
  return {
    name: 'mail-bounces',
    raised: value !== null && value > MOST_BOUNCES && mails >= FEWEST,
    value: value === null ? null : Number(value.toFixed(2)),
    detail: `${bounced} of ${mails} mails of the last ${DAYS} days bounced`,
  };
}

const Waiting = z.object({ seconds: z.number() });

/** Mails that wait for a switch are meant to. */
async function queue({ database }: ConditionDeps): Promise<Found> {
  const [row] = await database.query(
    sql`select coalesce(greatest(extract(epoch from now() - min(created_at)), 0), 0)::float8 as seconds from sallyport_outbox
        where status = 'pending' and not (held_by && (select coalesce(array_agg(name), '{}') from sallyport_switches))`,
    Waiting,
  );
  const seconds = row?.seconds ?? 0;
  return {
    name: 'mail-queue',
    raised: seconds > MOST_QUEUED_S,
    value: Math.round(seconds),
    detail: `the oldest mail has waited for ${Math.floor(seconds / 60)} minutes`,
  };
}

async function providers({ config, exchange }: ConditionDeps): Promise<Found> {
  const looks = await Promise.all(
    config.alarms.providers.map(async ({ name, issuer }) => {
      const why = (await fault(exchange, issuer)) && (await fault(exchange, issuer));
      return why === undefined ? [] : [`${name}: ${why}`];
    }),
  );
  const away = looks.flat();
  return {
    name: 'provider-away',
    raised: away.length > 0,
    value: away.length,
    detail: away.length === 0 ? 'every provider answers' : away.join('; '),
  };
}

/** Why an issuer does not serve what it has to (OpenID Connect Discovery 1.0 §4). */
async function fault(exchange: Exchange, issuer: string): Promise<string | undefined> {
  const url = `${issuer.replace(/\/+$/, '')}/.well-known/openid-configuration`;
  try {
    const { status } = await exchange({
      method: 'GET',
      url,
      headers: { accept: 'application/json' },
      timeoutMs: LOOK_MS,
    });
    return status === 200 ? undefined : `answers ${status}`;
  } catch (error) {
    return messageOf(error).slice(0, 200);
  }
}

function percent(value: number): string {
  return `${value.toFixed(1)} %`;
}

import * as z from 'zod';
import { sql } from '../ports/database.ts';
import type { Reads } from './read.ts';

export const ALARMS = [
  'migration-rate',
  'callback-errors',
  'mail-bounces',
  'mail-queue',
  'provider-away',
  'pat-expiry',
  'certificate-expiry',
  'backup-age',
  'reconcile-lag',
] as const;
export type AlarmName = (typeof ALARMS)[number];

/** What each alarm means, for people. */
export const ALARM_TITLES: Readonly<Record<AlarmName, string>> = {
  'migration-rate': 'the migration rate is at risk',
  'callback-errors': 'callbacks fail more often than the target has it',
  'mail-bounces': 'more than 2 % of mails bounce',
  'mail-queue': 'mails have waited for more than an hour',
  'provider-away': 'an identity provider does not answer',
  'pat-expiry': 'a personal access token is to be rotated',
  'certificate-expiry': 'a certificate is about to run out',
  'backup-age': 'there is no backup of the last day, or none that was proven',
  'reconcile-lag': 'missed events are not fetched',
};

/** Those that something stands still for; the others tell how the move of people goes. */
export const URGENT: ReadonlySet<AlarmName> = new Set([
  'mail-queue',
  'provider-away',
  'pat-expiry',
  'certificate-expiry',
  'backup-age',
  'reconcile-lag',
]);

const AlarmRow = z.object({
  name: z.string(),
  raised: z.boolean(),
  /** When it was raised last. */
  since: z.date(),
  cleared_at: z.date().nullable(),
  value: z.number().nullable(),
  detail: z.string(),
});
export type Alarm = z.output<typeof AlarmRow>;

/** Those that stand, the oldest first. Throws as `Database`. */
export function standingAlarms(database: Reads): Promise<Alarm[]> {
  return database.query(
    sql`select name, raised, since, cleared_at, value, detail from sallyport_alarms where raised order by since, name`,
    AlarmRow,
  );
}

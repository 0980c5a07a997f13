import * as z from 'zod';
import { sql, type Database } from '../ports/database.ts';

const ProgressRow = z.object({
  id: z.string(),
  /** The size of the wave; 0 before its start. */
  people: z.number(),
  /** A first link was made. */
  queued: z.number(),
  mailed: z.number(),
  delivered: z.number(),
  seen: z.number(),
  accepted: z.number(),
  completed: z.number(),
  unsubscribed: z.number(),
  /** Ended before they were across, by deletion, exclusion, cancellation or a later wave. */
  left: z.number(),
});

/** People of a wave by how far they are; who is further is counted in what is before it. */
export type WaveProgress = Readonly<z.output<typeof ProgressRow>>;

/** Of every wave that has started. Throws as `Database`. */
export async function progressOfWaves(
  database: Pick<Database, 'query'>,
): Promise<ReadonlyMap<string, WaveProgress>> {
  const rows = await database.query(
    sql`select wave_id as id, count(*)::int as people, count(queued_at)::int as queued, count(mailed_at)::int as mailed,
          count(delivered_at)::int as delivered, count(seen_at)::int as seen, count(accepted_at)::int as accepted,
          count(completed_at)::int as completed, count(unsubscribed_at)::int as unsubscribed,
          count(*) filter (where ended_at is not null and completed_at is null)::int as left
        from sallyport_invitations where wave_id is not null group by wave_id`,
    ProgressRow,
  );
  return new Map(rows.map((row) => [row.id, row]));
}

export const NOT_BEGUN: WaveProgress = {
  ...{ id: '', people: 0, queued: 0, mailed: 0, delivered: 0, seen: 0, accepted: 0, completed: 0 },
  ...{ unsubscribed: 0, left: 0 },
};

const MailsRow = z.object({
  /** Mails of all steps that the mail server took. */
  sent: z.number(),
  waiting: z.number(),
  notSent: z.number(),
  bounced: z.number(),
  complained: z.number(),
});
export type WaveMails = Readonly<z.output<typeof MailsRow>>;

/** Mails of one wave, invitations and reminders, as far as they are on record. Throws as `Database`. */
export async function mailsOfWave(database: Pick<Database, 'query'>, id: string): Promise<WaveMails> {
  const [row] = await database.query(
    sql`select count(s.sent_at)::int as sent, count(*) filter (where s.settled_at is null)::int as waiting,
          count(*) filter (where s.settled_at is not null and s.sent_at is null)::int as "notSent",
          count(o.bounced_at)::int as bounced, count(o.complained_at)::int as complained
        from sallyport_invitation_steps s left join sallyport_outbox o on o.message_id = s.message_id
        where s.wave_id = ${id}::uuid and s.message_id is not null`,
    MailsRow,
  );
  return row ?? { sent: 0, waiting: 0, notSent: 0, bounced: 0, complained: 0 };
}

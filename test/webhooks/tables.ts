import { z } from 'zod';
import { sql, type Database } from '../../shared/ports/database.ts';

const Mirror = z.object({
  subject: z.string(),
  username: z.string().nullable(),
  email: z.string().nullable(),
  state: z.string(),
});
const Status = z.object({ status: z.string(), attempts: z.number(), last_error: z.string().nullable() });

/** What the mirror holds of a user. */
export function mirrorOf(subject: string, database: Database) {
  return database.query(
    sql`select subject, username, email, state from sallyport_identities where subject = ${subject}`,
    Mirror,
  );
}

/** Of every event in the inbox, in the order they came. */
export function statusesIn(database: Database) {
  return database.query(
    sql`select status, attempts, last_error from sallyport_webhook_events order by received_at, position`,
    Status,
  );
}

export async function empty(database: Database): Promise<void> {
  await database.execute(sql`delete from sallyport_webhook_events`);
  await database.execute(sql`delete from sallyport_identities`);
}

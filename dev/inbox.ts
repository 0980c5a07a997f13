import { setTimeout as pause } from 'node:timers/promises';
import { Pool } from 'pg';

/** The gateway's record of events, read as `sallyport webhooks list` reads it. */
export interface Inbox {
  /** Resolves when no event of the user is waiting to be applied, or after two minutes, which nothing but a fault takes. */
  applied(userId: string): Promise<void>;
  close(): Promise<void>;
}

const MOST_MS = 120_000;
const BETWEEN_MS = 10;
const PENDING = "select from sallyport_webhook_events where subject = $1 and status = 'pending' limit 1";

export function openInbox(databaseUrl: string): Inbox {
  const pool = new Pool({ connectionString: databaseUrl, max: 1 });
  // Without a listener a database that goes first would end the process.
  pool.on('error', () => undefined);
  return {
    async applied(userId) {
      const until = performance.now() + MOST_MS;
      while ((await pool.query(PENDING, [userId])).rowCount !== 0 && performance.now() < until)
        await pause(BETWEEN_MS);
    },
    close: () => pool.end(),
  };
}

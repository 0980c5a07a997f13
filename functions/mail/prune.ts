import * as z from 'zod';
import { sql, type Database, type Sql } from '../../shared/ports/database.ts';
import type { Job } from '../../shared/runs/job.ts';

/** Days that the record of a mail is kept after it was made: which address, when, and what the server answered. */
export const KEPT_DAYS = 90;

const ROWS = 5_000;
const STATEMENTS = 20;

const OVER: Sql = sql`
  select id from sallyport_outbox
  where status <> 'pending' and created_at < now() - interval '1 day' * ${KEPT_DAYS}::int`;

const Count = z.object({ count: z.number() });

/** Deletes records of mails that have ended; pending ones stay. */
export function pruneJob(database: Pick<Database, 'query' | 'execute'>): Job {
  return {
    async run({ signal, dryRun }) {
      if (dryRun) {
        const [row] = await database.query(sql`select count(*) as count from (${OVER}) as over`, Count);
        return { would_prune: row?.count ?? 0 };
      }
      let pruned = 0;
      for (let left = STATEMENTS; left > 0 && !signal.aborted; left -= 1) {
        const deleted = await database.execute(
          sql`delete from sallyport_outbox where id in (${OVER} order by created_at limit ${ROWS})`,
        );
        pruned += deleted;
        if (deleted < ROWS) return { pruned, complete: true };
      }
      return { pruned, complete: false };
    },
  };
}

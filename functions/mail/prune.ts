import * as z from 'zod';
import { sql, type Database, type Sql } from '../../shared/ports/database.ts';
import type { Job } from '../../shared/runs/job.ts';
import { FORGOTTEN } from './queue.ts';

/** Days that the record of a mail is kept after it was made: which address, when, and what the server answered. */
export const KEPT_DAYS = 90;

/** Days that a mail which was set aside can be sent again: then the links in it go. */
const RETRIED_DAYS = 7;

const ROWS = 5_000;
const STATEMENTS = 20;

const OVER: Sql = sql`
  select id from sallyport_outbox
  where status <> 'pending' and created_at < now() - interval '1 day' * ${KEPT_DAYS}::int`;

const STALE: Sql = sql`
  select id from sallyport_outbox
  where status = 'dead' and content is not null and created_at < now() - interval '1 day' * ${RETRIED_DAYS}::int`;

const Count = z.object({ count: z.number() });

/** Deletes records of mails that have ended, and before that the contents of those set aside; pending ones stay. */
export function pruneJob(database: Pick<Database, 'query' | 'execute'>): Job {
  return {
    async run({ signal, dryRun }) {
      if (dryRun) {
        const [row] = await database.query(sql`select count(*) as count from (${OVER}) as over`, Count);
        return { would_prune: row?.count ?? 0 };
      }
      const forgotten = await inBatches(signal, () =>
        database.execute(
          sql`update sallyport_outbox set ${FORGOTTEN} where id in (${STALE} order by created_at limit ${ROWS})`,
        ),
      );
      const pruned = await inBatches(signal, () =>
        database.execute(
          sql`delete from sallyport_outbox where id in (${OVER} order by created_at limit ${ROWS})`,
        ),
      );
      return {
        pruned: pruned.rows,
        forgotten: forgotten.rows,
        complete: pruned.complete && forgotten.complete,
      };
    },
  };
}

async function inBatches(
  signal: AbortSignal,
  batch: () => Promise<number>,
): Promise<{ readonly rows: number; readonly complete: boolean }> {
  let rows = 0;
  for (let left = STATEMENTS; left > 0 && !signal.aborted; left -= 1) {
    const changed = await batch();
    rows += changed;
    if (changed < ROWS) return { rows, complete: true };
  }
  return { rows, complete: false };
}

import * as z from 'zod';
import { parseRate } from '../counting/rate.ts';
import { sql, type Database } from '../ports/database.ts';
import type { Wave } from './wave.ts';

/** Mails of a wave without a pace of its own that wait in the outbox at most: enough that MAIL_RATE alone holds them up. */
const MOST_WAITING = 5_000;

const CountRow = z.object({ count: z.number() });

/**
 * How many mails of a wave may be put into the outbox now. Counted are those that wait there and those that were settled within the last
 * window, so that no window has more of them than the wave's rate, over all instances, whatever held the outbox up. Throws as `Database`.
 */
export async function roomFor(
  database: Pick<Database, 'query'>,
  { id, rate }: Pick<Wave, 'id' | 'rate'>,
): Promise<number> {
  const policy = rate === null ? undefined : parseRate(rate, 'wave');
  const settled =
    policy === undefined
      ? sql``
      : sql` + (select count(*) from sallyport_invitation_steps where wave_id = ${id}::uuid
          and settled_at > now() - interval '1 millisecond' * ${policy.windowMs}::bigint)`;
  const [row] = await database.query(
    sql`select ((select count(*) from sallyport_invitation_steps where wave_id = ${id}::uuid and settled_at is null)${settled})::int as count`,
    CountRow,
  );
  return Math.max(0, (policy?.limit ?? MOST_WAITING) - (row?.count ?? 0));
}

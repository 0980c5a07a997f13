import * as z from 'zod';
import { parseRate } from '../counting/rate.ts';
import { sql, type Database, type Sql } from '../ports/database.ts';
import type { Wave } from './wave.ts';

/** Mails of a wave without a pace of its own that wait in the outbox at most: enough that MAIL_RATE alone holds them up. */
const MOST_WAITING = 5_000;

const CountRow = z.object({ count: z.number() });

/**
 * How many mails of a wave may be put into the outbox now, as an expression. Counted are those that wait there and those that were settled
 * within the last window, so that no window has more of them than the wave's rate, whatever held the outbox up.
 */
export function room({ id, rate }: Pick<Wave, 'id' | 'rate'>): Sql {
  const policy = rate === null ? undefined : parseRate(rate, 'wave');
  const waiting = sql`(select count(*) from sallyport_invitation_steps where wave_id = ${id}::uuid and settled_at is null)`;
  if (policy === undefined) return sql`(${MOST_WAITING}::int - ${waiting})`;
  return sql`(${policy.limit}::int - ${waiting} - (select count(*) from sallyport_invitation_steps
    where wave_id = ${id}::uuid and settled_at > now() - interval '1 millisecond' * ${policy.windowMs}::bigint))`;
}

/** Throws as `Database`. */
export async function roomFor(
  database: Pick<Database, 'query'>,
  wave: Pick<Wave, 'id' | 'rate'>,
): Promise<number> {
  const [row] = await database.query(sql`select greatest(${room(wave)}, 0)::int as count`, CountRow);
  return row?.count ?? 0;
}

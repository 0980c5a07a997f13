import * as z from 'zod';
import { sql, type Database } from '../../shared/ports/database.ts';
import type { RatePolicy } from '../../shared/ports/counters.ts';
import type { Random } from '../../shared/ports/runtime.ts';

/** A share of MAIL_RATE. */
export interface Share {
  readonly mails: number;
  /** Milliseconds until more of the rate is free; 0 where `mails` is not 0. */
  readonly waitMs: number;
  /** Gives back what was not used; what was counts from now for one window. */
  settle(used: number): Promise<void>;
}

export interface Pace {
  /** Reserves up to `most` mails, over all instances. Throws as `Database`. */
  take(most: number): Promise<Share>;
}

export interface PaceOptions {
  readonly database: Pick<Database, 'execute' | 'transaction'>;
  readonly random: Pick<Random, 'uuid'>;
  readonly rate: RatePolicy;
  /** Milliseconds after which a reservation that is not settled is one of a dead process. */
  readonly heldMs: number;
}

/** Milliseconds between two statements of one transaction after which Postgres ends it. */
const DEAD_MS = 10_000;

const Reserved = z.object({ mails: z.number(), waitMs: z.number() });

/**
 * MAIL_RATE as a sliding window, by the database's clock: no window of its length has more mails. A mail counts from its reservation
 * until one window after the end of its batch, so that neither a slow server nor a dead process lets more through.
 */
export function openPace({ database, random, rate, heldMs }: PaceOptions): Pace {
  const after = (ms: number) => sql`clock_timestamp() + interval '1 millisecond' * ${ms}::bigint`;
  return {
    async take(most) {
      const id = random.uuid();
      const results = await database.transaction([
        // A host that dies between two of these statements must not keep the lock until TCP notices.
        sql`select set_config('idle_in_transaction_session_timeout', ${String(DEAD_MS)}, true)`,
        // Of two instances the second must see what the first has reserved.
        sql`lock table sallyport_mail_pace in share row exclusive mode`,
        sql`delete from sallyport_mail_pace where counts_until <= clock_timestamp()`,
        sql`insert into sallyport_mail_pace (id, mails, counts_until)
            select ${id}::uuid, least(${most}::int, ${rate.limit}::int - coalesce(sum(mails), 0)), ${after(heldMs + rate.windowMs)}
            from sallyport_mail_pace having coalesce(sum(mails), 0) < ${rate.limit}::int`,
        sql`select coalesce(max(mails) filter (where id = ${id}::uuid), 0)::int as mails,
              coalesce(ceil(extract(epoch from min(counts_until) - clock_timestamp()) * 1000), 0)::int as "waitMs"
            from sallyport_mail_pace`,
      ]);
      const { mails, waitMs } = Reserved.parse(results.at(-1)?.rows[0]);
      return {
        mails,
        waitMs: mails > 0 ? 0 : Math.max(waitMs, 1),
        async settle(used) {
          await database.execute(
            used === 0
              ? sql`delete from sallyport_mail_pace where id = ${id}::uuid`
              : sql`update sallyport_mail_pace set mails = ${used}::int, counts_until = ${after(rate.windowMs)} where id = ${id}::uuid`,
          );
        },
      };
    },
  };
}

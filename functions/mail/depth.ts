import * as z from 'zod';
import type { Collapse } from '../../shared/caches/in-flight.ts';
import type { ReadinessCheck } from '../../shared/edge/readiness.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import type { Metrics } from '../../shared/ports/metrics.ts';
import { HELD } from './queue.ts';

export interface Depth {
  /** Held ones included. */
  readonly pending: number;
  /** Those that wait for a switch, as `sallyport migration resume` turns it. */
  readonly held: number;
  readonly dead: number;
  /** Since the oldest pending mail that is not held was made; 0 when there is none. */
  readonly oldestSeconds: number;
}

const DepthRow = z.object({
  pending: z.number(),
  held: z.number(),
  dead: z.number(),
  oldestSeconds: z.number(),
});

/** Counts mails that are not sent; dead ones of the last day. Throws as `Database`. */
export async function readDepth(database: Pick<Database, 'query'>): Promise<Depth> {
  const [row] = await database.query(
    sql`select count(*) filter (where status = 'pending') as pending, count(*) filter (where status = 'dead') as dead,
          count(*) filter (where status = 'pending' and ${HELD}) as held,
          coalesce(greatest(extract(epoch from now() - min(created_at) filter (where status = 'pending' and not (${HELD}))), 0), 0)::float8
            as "oldestSeconds"
        from sallyport_outbox
        where status = 'pending' or (status = 'dead' and created_at > now() - interval '1 day')`,
    DepthRow,
  );
  return row ?? { pending: 0, held: 0, dead: 0, oldestSeconds: 0 };
}

const DueRow = z.object({ due: z.boolean() });

/** Whether a mail may be leased now. Throws as `Database`. */
export async function isAnyDue(database: Pick<Database, 'query'>): Promise<boolean> {
  const [row] = await database.query(
    sql`select exists (
          select from sallyport_outbox
          where status = 'pending' and due_at <= now() and (lease_until is null or lease_until <= now()) and not (${HELD})
        ) as due`,
    DueRow,
  );
  return row?.due === true;
}

export interface OutboxGauges {
  readonly metrics: Metrics;
  readonly database: Pick<Database, 'query'>;
  readonly collapse: Collapse;
}

/** Both gauges of one scrape share a reading. While the table cannot be read there are no samples; /metrics still answers. */
export function measureOutbox({ metrics, database, collapse }: OutboxGauges): void {
  const read = collapse(() => readDepth(database), String);
  const sample = async (pick: (depth: Depth) => [string, number][]): Promise<Map<string, number>> => {
    try {
      return new Map(pick(await read('')));
    } catch {
      return new Map();
    }
  };
  metrics.gauge(
    'sallyport_mail_outbox_depth',
    'Mails that are not sent, held ones among the pending; dead ones of one day.',
    'status',
    () =>
      sample(({ pending, held, dead }) => [
        ['pending', pending],
        ['held', held],
        ['dead', dead],
      ]),
  );
  metrics.gauge(
    'sallyport_mail_outbox_oldest_seconds',
    'Age of the oldest pending mail that is not held.',
    'status',
    () => sample(({ oldestSeconds }) => [['pending', oldestSeconds]]),
  );
}

/** Requests do without mail, so it never makes the bundle unready. */
export function outboxCheck(database: Pick<Database, 'query'>): ReadinessCheck {
  return {
    name: 'mail_outbox',
    check: 'mail-queue',
    needed: false,
    async look() {
      const { pending, held, dead, oldestSeconds } = await readDepth(database);
      const state = dead > 0 ? 'mails set aside' : pending > held ? 'sending' : held > 0 ? 'paused' : 'empty';
      return { up: true, state, pending, held, dead, oldest_seconds: Math.round(oldestSeconds) };
    },
  };
}

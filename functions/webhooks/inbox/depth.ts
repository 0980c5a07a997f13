import * as z from 'zod';
import { sql, type Database } from '../../../shared/ports/database.ts';
import type { Clock } from '../../../shared/ports/runtime.ts';
import type { Metrics } from '../../../shared/ports/metrics.ts';
import type { ReadinessCheck } from '../../../shared/edge/readiness.ts';

export interface Depth {
  readonly pending: number;
  readonly dead: number;
  /** Age of the oldest pending event; 0 when there is none. */
  readonly oldestSeconds: number;
}

const DepthRow = z.object({ pending: z.number(), dead: z.number(), oldest: z.date().nullable() });

/** Counts unapplied events. Throws as `Database`. */
export async function readDepth(database: Pick<Database, 'query'>, clock: Clock): Promise<Depth> {
  const [row] = await database.query(
    sql`select count(*) filter (where status = 'pending') as pending, count(*) filter (where status = 'dead') as dead,
          min(received_at) filter (where status = 'pending') as oldest
        from sallyport_webhook_events where status in ('pending', 'dead')`,
    DepthRow,
  );
  const { pending = 0, dead = 0, oldest = null } = row ?? {};
  const oldestSeconds = oldest === null ? 0 : Math.max(0, (clock.now() - oldest.getTime()) / 1000);
  return { pending, dead, oldestSeconds };
}

/** An unreadable inbox yields no samples; /metrics still answers. */
export function measureDepth(metrics: Metrics, database: Pick<Database, 'query'>, clock: Clock): void {
  const sample = async (pick: (depth: Depth) => [string, number][]): Promise<Map<string, number>> => {
    try {
      return new Map(pick(await readDepth(database, clock)));
    } catch {
      return new Map();
    }
  };
  metrics.gauge('sallyport_webhook_inbox_depth', 'Webhook events that are not applied.', 'status', () =>
    sample(({ pending, dead }) => [
      ['pending', pending],
      ['dead', dead],
    ]),
  );
  metrics.gauge('sallyport_webhook_inbox_oldest_seconds', 'Age of the oldest pending event.', 'status', () =>
    sample(({ oldestSeconds }) => [['pending', oldestSeconds]]),
  );
}

/** The gateway serves without the inbox, so it never makes the bundle unready. */
export function inboxCheck(database: Pick<Database, 'query'>, clock: Clock): ReadinessCheck {
  return {
    name: 'webhook_inbox',
    check: 'webhook-inbox',
    needed: false,
    async look() {
      const { pending, dead, oldestSeconds } = await readDepth(database, clock);
      const state = dead > 0 ? 'events set aside' : pending > 0 ? 'applying' : 'empty';
      return { up: true, state, pending, dead, oldest_seconds: Math.round(oldestSeconds) };
    },
  };
}

import type { Platform } from '../../shared/platform.ts';
import type { Clock } from '../../shared/ports.ts';
import type { Cron } from './index.ts';
import { scheduleEntries } from './schedule.ts';

const MINUTE_MS = 60_000;

/** On Node this process keeps the schedule; on Workers the triggers of wrangler.toml do. Returns the way to stop. */
export function startSchedule(cron: Cron, platform: Pick<Platform, 'schedule'>, clock: Clock): () => void {
  const stops = scheduleEntries().map(({ pattern }) =>
    platform.schedule(pattern, () => {
      void cron.tick(pattern, minuteOf(clock.now()));
    }),
  );
  return () => {
    for (const stop of stops) stop();
  };
}

/** Replicas wake some milliseconds apart for the same time of the schedule. */
function minuteOf(now: number): Date {
  return new Date(Math.floor(now / MINUTE_MS) * MINUTE_MS);
}

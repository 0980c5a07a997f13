import { Cron } from 'croner';

/** Calls back at each time of a pattern of five fields, in UTC, and never early; returns the way to stop. */
export function cronerSchedule(pattern: string, due: () => void): () => void {
  const job = new Cron(pattern, { mode: '5-part', timezone: 'UTC', unref: true }, due);
  return () => {
    job.stop();
  };
}

import { Cron } from 'croner';

/** Calls `due` at each time of a pattern of five fields, in UTC, never early; returns the stop function. */
export function cronerSchedule(pattern: string, due: () => void): () => void {
  const job = new Cron(pattern, { mode: '5-part', timezone: 'UTC', unref: true }, due);
  return () => {
    job.stop();
  };
}

/** What one run did, in counts and names: recorded, printed and logged, so never a secret or a person's data. */
export type JobDetail = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

export interface JobRun {
  /** Aborted when the run's time is used up, its lease is lost or the process ends: the job stops at its next safe point. */
  readonly signal: AbortSignal;
  /** Only say what would be done. */
  readonly dryRun: boolean;
}

/** A job, by its name, and when it is due. */
export interface ScheduledJob extends Job {
  readonly name: string;
  /** A cron pattern in UTC, as wrangler.toml lists it. */
  readonly pattern: string;
}

/** Regular work. Idempotent: run again after being cut off anywhere, it comes to the same end. */
export interface Job {
  run(run: JobRun): Promise<JobDetail>;
}

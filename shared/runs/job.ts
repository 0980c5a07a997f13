/** Result of one run, in counts and names: recorded, printed and logged, so never a secret or personal data. */
export type JobDetail = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

export interface JobRun {
  /** Aborted when the run's time is up, its lease is lost or the process ends: the job stops at its next safe point. */
  readonly signal: AbortSignal;
  /** Only report what would be done. */
  readonly dryRun: boolean;
}

/** A job with its name and schedule. */
export interface ScheduledJob extends Job {
  readonly name: string;
  /** A cron pattern in UTC, as wrangler.toml lists it. */
  readonly pattern: string;
}

/** Regular work. Idempotent: repeated after an interruption anywhere, it has the same result. */
export interface Job {
  run(run: JobRun): Promise<JobDetail>;
}

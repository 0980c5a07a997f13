/** What one run did, in counts and names: recorded, printed and logged, so never a secret or a person's data. */
export type JobDetail = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

export interface JobRun {
  /** Aborted when the run's time is used up or the process ends: the job stops at its next safe point. */
  readonly signal: AbortSignal;
  /** Only say what would be done. */
  readonly dryRun: boolean;
}

/** Regular work. Idempotent: run again after being cut off anywhere, it comes to the same end. */
export interface Job {
  readonly description: string;
  run(run: JobRun): Promise<JobDetail>;
}

import type { MailConfig } from '../configuration/mail.ts';
import { slice as sliceOf, type Slice } from '../configuration/slice.ts';
import type { CountersConfig, OpenFgaConfig } from '../configuration/stores.ts';
import type { Counting } from '../counting/counting.ts';
import type { Authorization, Ground } from '../deps.ts';
import type { Database } from '../ports/database.ts';
import type { MailServer } from '../ports/mail.ts';
import type { MaybePromise } from '../ports/runtime.ts';

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

/** Ports of a job that a command runs, beside no gateway. */
export interface JobGround extends Ground {
  readonly database: Database;
  openCounting(config: CountersConfig): Counting;
  openAuthorization(config: { readonly openfga: OpenFgaConfig }): Authorization;
  openMailServer(config: { readonly mail: MailConfig | null }): MailServer | null;
}

export interface OpenJob {
  readonly job: Job;
  readonly close?: () => MaybePromise<void>;
}

/** A job of the slices it uses: the command that runs it requires their variables and no other. */
export type StandaloneJob = Slice<{ readonly open: (ground: JobGround) => OpenJob }>;

export function standalone<Part extends object>(
  slice: Slice<Part>,
  open: (config: Part, ground: JobGround) => OpenJob,
): StandaloneJob {
  return slice.map((config) => ({ open: (ground: JobGround) => open(config, ground) }));
}

const NOTHING = sliceOf({ variables: {}, read: () => ({}) });

/** A job of the database alone. */
export function databaseJob(job: (ground: JobGround) => Job): StandaloneJob {
  return standalone(NOTHING, (_config, ground) => ({ job: job(ground) }));
}

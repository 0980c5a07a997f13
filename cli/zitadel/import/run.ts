import { availableParallelism } from 'node:os';
import * as z from 'zod';
import type { Journal, JournalPlace } from '../../journal.ts';
import { openZitadel, processes } from '../../deps.ts';
import { Failure } from '../../failure.ts';
import type { Kubectl } from '../../children/kubectl.ts';
import { zitadelClient, type ZitadelClient } from '../api/client.ts';
import type { Server } from './server.ts';

export const IMPORT = 'import';

/** Where the journals of imports are. */
export function importPlace(backupDir: string): JournalPlace {
  return { folder: backupDir, kind: IMPORT, processes };
}

export const Workload = z.object({
  /** As kubectl takes it: `statefulset/zitadel`. */
  name: z.string(),
  /** Of its pods, as in `app=zitadel,tier=core`. */
  selector: z.string(),
  replicas: z.number(),
});
export type Workload = z.output<typeof Workload>;

/** What a run was begun with: enough for another process to go on with it. */
export const RunFacts = z.object({
  to: z.enum(['kubernetes', 'postgres']),
  dump: z.object({
    file: z.string(),
    format: z.enum(['plain', 'gzip', 'zstd', 'custom', 'directory']),
    bytes: z.number(),
    fingerprint: z.string(),
    pgRestore: z.number(),
    restrictKey: z.string().nullable(),
    tables: z.record(z.string(), z.number()),
  }),
  /** user@host:port/database */
  server: z.string(),
  target: z.string(),
  /** Where the dump is restored, beside the target. */
  copy: z.string(),
  /** What the former database is called after the swap. */
  kept: z.string(),
  /** Of the former database; null: there was none. */
  oid: z.number().nullable(),
  /** Owner of the database, and of what a --no-owner dump holds. */
  owner: z.string(),
  /** Whether the dump names no owners. */
  ownerless: z.boolean(),
  /** In the order in which they start: Zitadel, then Login v2. Empty for postgres. */
  zitadel: z.array(Workload).readonly(),
  login: z.array(Workload).readonly(),
});
export type RunFacts = z.output<typeof RunFacts>;

/** Zitadel's API, and a service account of it. */
export interface ZitadelAccess {
  readonly url: string;
  readonly token: string | null;
}

/** As this service account. */
export function clientFor({ url, token }: { readonly url: string; readonly token: string }): ZitadelClient {
  return zitadelClient({ url, token, api: openZitadel({ url, token }) });
}

/** A run under way. */
export interface Run {
  readonly facts: RunFacts;
  readonly journal: Journal;
  readonly server: Server;
  readonly kubectl: Kubectl | null;
  /** Null: it is not known, so that the run ends with the swap. */
  readonly api: ZitadelAccess | null;
  readonly signal: AbortSignal;
  /** Milliseconds: for sessions to end, and for Zitadel to start. */
  readonly waitMs: number;
  /** Sessions that restore at once. */
  readonly jobs: number;
}

const MOST_JOBS = 8;

/** As many as there are processors here, in bounds that any server bears. */
export const usualJobs = (): number => Math.min(MOST_JOBS, Math.max(2, availableParallelism()));

/** The step that holds the facts of a run. */
export const RUN = 'run';

/** Throws Failure when the journal holds none. */
export function factsOf(journal: Pick<Journal, 'find' | 'run'>): RunFacts {
  const parsed = RunFacts.safeParse(journal.find(RUN, 'begun'));
  if (parsed.success) return parsed.data;
  throw new Failure(`the journal of import ${journal.run} ends before anything was done: begin a new one`);
}

/** Whether both, as in `user@host:port/database`, are the same database; the role may be another. */
export function isSameDatabase(one: string, other: string): boolean {
  const place = (shown: string): string => shown.slice(shown.lastIndexOf('@') + 1);
  return place(one) === place(other);
}

/** As the sessions of a run's children are called. */
export function applicationOf(run: string): string {
  return `sallyport import ${run}`;
}

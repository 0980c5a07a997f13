import type { ZitadelConfig } from '../../shared/configuration/issuers.ts';
import type { Deps } from '../../shared/deps.ts';
import type { Database } from '../../shared/ports/database.ts';
import type { Job, JobDetail } from '../../shared/runs/job.ts';
import type { Applied } from './apply/apply.ts';
import { readDepth } from './inbox/depth.ts';
import { prune, wouldPrune, type PruneDeps } from './inbox/prune.ts';
import { reconcile, type ReconcileDeps } from './reconcile/reconcile.ts';
import type { WEBHOOKS } from './slice.ts';

/** Events per round: few enough that a round ends well within the lease even while OpenFGA is slow. */
const ROUND = 64;

/** Processing of stored events, for webhooks, the schedule and commands. */
export interface Inbox {
  /** Applies up to `limit` events that are due. Throws as `Database`. */
  applyDue(limit: number): Promise<Applied>;
  /** Publishes the states of the last 30 days again; returns the number of users. Throws as `Database` and `Revocations`. */
  remark(): Promise<number>;
}

type Needs = Pick<Deps, 'platform' | 'clock' | 'random' | 'log'> & {
  readonly database: Database;
  readonly config: { readonly zitadel: ZitadelConfig | null };
};

/** The jobs on events; `inbox` is null without Zitadel as an issuer. */
export function webhookJobs(
  deps: Needs,
  inbox: Inbox | null,
): Readonly<Record<keyof typeof WEBHOOKS.schedule, Job>> {
  return {
    'webhooks-apply': applyJob(inbox, deps),
    'webhooks-reconcile': reconcileJob(deps),
    'revocations-remark': remarkJob(inbox),
    'webhooks-prune': pruneJob(deps),
  };
}

/** Dependencies of reconcile; null where a variable is missing. */
export function reconcileDeps({
  config,
  database,
  clock,
  random,
  log,
  platform,
}: Needs): ReconcileDeps | null {
  const { issuer, api = null } = config.zitadel ?? {};
  if (issuer === undefined || api === null) return null;
  return { api, issuer, fetch: platform.fetch, database, clock, random, log };
}

const NO_ZITADEL: JobDetail = { state: 'not configured: set ZITADEL_ISSUER_URL' };
const NO_SERVICE_ACCOUNT: JobDetail = {
  state: 'not configured: set ZITADEL_ISSUER_URL and ZITADEL_SERVICE_TOKEN',
};

/** Applies due events. */
export function applyJob(
  inbox: Pick<Inbox, 'applyDue'> | null,
  { database, clock }: Pick<Needs, 'database' | 'clock'>,
): Job {
  return {
    async run({ signal, dryRun }) {
      if (inbox === null) return NO_ZITADEL;
      if (dryRun) {
        const { pending, dead } = await readDepth(database, clock);
        return { pending, dead };
      }
      const total = { applied: 0, failed: 0, dead: 0, taken_over: 0 };
      while (!signal.aborted) {
        const { applied, failed, dead, taken_over } = await inbox.applyDue(ROUND);
        total.applied += applied;
        total.failed += failed;
        total.dead += dead;
        total.taken_over += taken_over;
        if (applied + failed + dead + taken_over === 0) break;
      }
      return total;
    },
  };
}

/** Fetches events from Zitadel whose delivery was missed. */
export function reconcileJob(deps: Needs): Job {
  const count = deps.platform.metrics.counter(
    'sallyport_webhook_missed_total',
    'Events whose delivery was missed, found by the reconcile, by their type.',
    'type',
  );
  return {
    async run(run) {
      const needs = reconcileDeps(deps);
      if (needs === null) return NO_SERVICE_ACCOUNT;
      const { compared, missed, unusable, complete } = await reconcile(needs, run);
      if (!run.dryRun) for (const { type } of missed) count(type);
      return { compared, missed: missed.length, unusable, complete };
    },
  };
}

/** Publishes suspensions and removals of the last 30 days again, since Redis may have lost them. */
export function remarkJob(inbox: Pick<Inbox, 'remark'> | null): Job {
  return {
    async run({ dryRun }) {
      if (inbox === null) return NO_ZITADEL;
      if (dryRun) return { state: 'would publish the states of the last 30 days again' };
      return { users: await inbox.remark() };
    },
  };
}

/** Deletes applied events that arrived more than 90 days ago. */
export function pruneJob(deps: PruneDeps): Job {
  return {
    async run({ signal, dryRun }) {
      if (dryRun) return { would_prune: await wouldPrune(deps) };
      return { ...(await prune(deps, { signal })) };
    },
  };
}

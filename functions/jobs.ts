import type { Deps } from '../shared/deps.ts';
import { createCron, type Cron, type Jobs } from './cron/cron.ts';
import type { Job, JobDetail } from '../shared/runs/job.ts';
import { readDepth } from './webhooks/inbox/depth.ts';
import type { Webhooks } from './webhooks/function.ts';
import { KEPT_DAYS, prune, wouldPrune, type PruneDeps } from './webhooks/inbox/prune.ts';
import { reconcile, type ReconcileDeps } from './webhooks/reconcile/reconcile.ts';

/** Events one round applies: few enough that a round ends well within the lease even while OpenFGA is slow. */
const ROUND = 64;

/** The regular work of the bundle; null without a database, which holds the leases. */
export function createJobs(deps: Deps, webhooks: Webhooks): Cron | null {
  const { database, random, log } = deps;
  if (database === null) return null;
  const { metrics } = deps.platform;
  const jobs: Jobs = {
    'webhooks-apply': applyJob(webhooks, () => readDepth(database, deps.clock)),
    'webhooks-reconcile': reconcileJob(deps),
    'revocations-remark': remarkJob(webhooks),
    'webhooks-prune': pruneJob({ database, clock: deps.clock }),
  };
  return createCron({ database, random, log, metrics, jobs });
}

/** What reconcile needs; null where a variable is missing. */
export function reconcileDeps(deps: Deps): ReconcileDeps | null {
  const { config, database, clock, random, log, platform } = deps;
  const issuer = config.issuers.find(({ name }) => name === 'zitadel');
  if (database === null || issuer === undefined || config.zitadelApi === null) return null;
  return { api: config.zitadelApi, issuer, fetch: platform.fetch, database, clock, random, log };
}

const NO_ZITADEL: JobDetail = { state: 'not configured: set ZITADEL_ISSUER_URL' };
const NO_SERVICE_ACCOUNT: JobDetail = {
  state: 'not configured: set ZITADEL_ISSUER_URL and ZITADEL_SERVICE_TOKEN',
};

function applyJob(
  { inbox }: Webhooks,
  depth: () => Promise<{ readonly pending: number; readonly dead: number }>,
): Job {
  return {
    description: 'Applies the webhook events that are due.',
    async run({ signal, dryRun }) {
      if (inbox === null) return NO_ZITADEL;
      if (dryRun) {
        const { pending, dead } = await depth();
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

function reconcileJob(deps: Deps): Job {
  const count = deps.platform.metrics.counter(
    'sallyport_webhook_missed_total',
    'Events whose delivery was missed, found by the reconcile, by their type.',
    'type',
  );
  return {
    description: 'Asks Zitadel for events whose delivery was missed.',
    async run(run) {
      const needs = reconcileDeps(deps);
      if (needs === null) return NO_SERVICE_ACCOUNT;
      const { compared, missed, unusable, complete } = await reconcile(needs, run);
      if (!run.dryRun) for (const { type } of missed) count(type);
      return { compared, missed: missed.length, unusable, complete };
    },
  };
}

function remarkJob({ inbox }: Webhooks): Job {
  return {
    description:
      'Publishes suspensions and removals of the last 30 days again, since Redis may have lost them.',
    async run({ dryRun }) {
      if (inbox === null) return NO_ZITADEL;
      if (dryRun) return { state: 'would publish the states of the last 30 days again' };
      return { users: await inbox.remark() };
    },
  };
}

function pruneJob(deps: PruneDeps): Job {
  return {
    description: `Deletes applied webhook events that arrived more than ${KEPT_DAYS} days ago.`,
    async run({ signal, dryRun }) {
      if (dryRun) return { would_prune: await wouldPrune(deps) };
      return { ...(await prune(deps, { signal })) };
    },
  };
}

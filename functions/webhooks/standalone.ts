import { ZITADEL } from '../../shared/configuration/issuers.ts';
import { COUNTERS, OPENFGA } from '../../shared/configuration/stores.ts';
import { databaseJob, standalone, type StandaloneJob } from '../../shared/runs/job.ts';
import { openInbox, openMarks } from './function.ts';
import { applyJob, pruneJob, reconcileJob, remarkJob } from './jobs.ts';
import { GRANTS, type WEBHOOKS } from './slice.ts';

/** A command has no cache entries. */
const forget = (): void => undefined;

/** The jobs on events, each of fewer slices than the whole function. */
export const STANDALONE: Readonly<Record<keyof typeof WEBHOOKS.schedule, StandaloneJob>> = {
  'webhooks-apply': standalone(OPENFGA.and(ZITADEL).and(COUNTERS).and(GRANTS), (config, ground) => {
    const { zitadel } = config;
    if (zitadel === null) return { job: applyJob(null, ground) };
    const counting = ground.openCounting(config);
    const deps = { ...ground, ...counting, ...ground.openAuthorization(config), config, forget };
    return { job: applyJob(openInbox(zitadel, ground.database, deps), ground), close: counting.disconnect };
  }),
  'webhooks-reconcile': standalone(ZITADEL, (config, ground) => ({
    job: reconcileJob({ ...ground, config }),
  })),
  'revocations-remark': standalone(ZITADEL.and(COUNTERS), (config, ground) => {
    const { zitadel } = config;
    if (zitadel === null) return { job: remarkJob(null) };
    const counting = ground.openCounting(config);
    const marks = openMarks(zitadel.issuer, ground.database, { ...ground, ...counting, forget });
    return { job: remarkJob(marks), close: counting.disconnect };
  }),
  'webhooks-prune': databaseJob(pruneJob),
};

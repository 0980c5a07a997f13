import { ownPaths, type EdgeFunction } from '../shared/edge/function.ts';
import { GATEWAY } from './gateway/slice.ts';
import { STATUS } from './status/slice.ts';
import { WEBHOOKS } from './webhooks/slice.ts';

/** The functions that are always on. */
const ALWAYS_ON: readonly EdgeFunction[] = [STATUS, GATEWAY, WEBHOOKS];

/** What the bundle answers by itself. */
export const OWN_PATHS = ownPaths(ALWAYS_ON);

/** The regular jobs and their cron patterns (UTC). wrangler.toml lists the same patterns; a test holds the two together. */
export const SCHEDULE = ALWAYS_ON.flatMap(({ schedule = {} }) =>
  Object.entries(schedule).map(([job, pattern]) => ({ job, pattern })),
);

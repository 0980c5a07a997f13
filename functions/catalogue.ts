import { ownPaths } from '../shared/edge/function.ts';
import { GATEWAY } from './gateway/slice.ts';
import { STATUS } from './status/slice.ts';
import { WEBHOOKS } from './webhooks/slice.ts';

/** The functions that are always on. */
const ALWAYS_ON = [STATUS, GATEWAY, WEBHOOKS];

/** What the bundle answers by itself. */
export const OWN_PATHS = ownPaths(ALWAYS_ON);

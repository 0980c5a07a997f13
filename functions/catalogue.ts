import { ISSUERS, ZITADEL } from '../shared/configuration/issuers.ts';
import { OAUTH_CLIENTS } from '../shared/configuration/oauth-clients.ts';
import { namesOf, type Known } from '../shared/configuration/names.ts';
import { OPERATIONS } from '../shared/configuration/operations.ts';
import { MIGRATION } from '../shared/configuration/providers.ts';
import { SERVER } from '../shared/configuration/server.ts';
import { slice, type Slice, type Written } from '../shared/configuration/slice.ts';
import { COUNTERS, DATABASE, OPENFGA } from '../shared/configuration/stores.ts';
import { list, listOf } from '../shared/configuration/values.ts';
import { SESSIONS } from '../shared/configuration/sessions.ts';
import type { EdgeFunction } from '../shared/edge/function.ts';
import { ALARMING } from './alarms/slice.ts';
import { ANALYTICS } from './analytics/slice.ts';
import { AUTH } from './auth/slice.ts';
import { FEATURE_SYNC } from './feature-sync/slice.ts';
import { FIGURES } from './figures/slice.ts';
import { GATEWAY } from './gateway/slice.ts';
import { INVITES } from './invites/slice.ts';
import { MAILER } from './mail/slice.ts';
import { STATUS } from './status/slice.ts';
import { WEBHOOKS } from './webhooks/slice.ts';

/** The functions that are always on. */
const ALWAYS_ON: readonly EdgeFunction[] = [
  STATUS,
  GATEWAY,
  WEBHOOKS,
  FEATURE_SYNC,
  MAILER,
  FIGURES,
  ALARMING,
];

/** Functions that FUNCTIONS turns on, by their names there. While off, their paths belong to the access rules. */
export type Further = Readonly<Record<string, EdgeFunction>>;

/** Their starts are in configuration.ts: of the commands only `cron run` needs them. */
export const FURTHER: Further = { auth: AUTH, invites: INVITES, analytics: ANALYTICS };

/** The slices that are always read, whatever FUNCTIONS names. */
export const BUNDLE = GATEWAY.slice
  .and(OPENFGA)
  .and(ISSUERS)
  .and(ZITADEL)
  .and(MIGRATION)
  .and(COUNTERS)
  .and(DATABASE)
  .and(SERVER)
  .and(SESSIONS)
  .and(OAUTH_CLIENTS)
  .and(WEBHOOKS.slice)
  .and(FEATURE_SYNC.slice)
  .and(STATUS.slice)
  .and(MAILER.slice)
  .and(FIGURES.slice)
  .and(ALARMING.slice);

/** FUNCTIONS. A name unknown to this release is a fault: its paths would belong to the access rules. */
export function functionsSlice(further: Further): Slice<object> {
  const names = Object.keys(further).join(', ');
  const instead = names === '' ? 'leave FUNCTIONS out' : `there are ${names}`;
  const known = listOf(
    (name) => Object.hasOwn(further, name),
    `this release has no such function: ${instead}`,
  );
  return slice({ variables: { FUNCTIONS: known.default([]) }, read: () => ({}) });
}

/** The known ones of FUNCTIONS. */
export function furtherOn<F>(written: Written, further: Readonly<Record<string, F>>): readonly F[] {
  const names = new Set(list.default([]).parse(written['FUNCTIONS']));
  return Object.entries(further).flatMap(([name, each]) => (names.has(name) ? [each] : []));
}

/** Every function that is on. */
export function functionsOn(written: Written, further: Further = FURTHER): readonly EdgeFunction[] {
  return [...ALWAYS_ON, ...furtherOn(written, further)];
}

/** Every variable that any function or command reads. */
export function variablesOf(further: Further): Known {
  const slices = [
    BUNDLE,
    OPERATIONS,
    functionsSlice(further),
    ...Object.values(further).map((each) => each.slice),
  ];
  return namesOf(slices.map(({ variables }) => variables));
}

export const VARIABLES = variablesOf(FURTHER);

/** The regular jobs and their cron patterns (UTC). wrangler.toml lists the same patterns; a test holds the two together. */
export function scheduleOf(functions: readonly EdgeFunction[]) {
  return functions.flatMap(({ schedule = {} }) =>
    Object.entries(schedule).map(([job, pattern]) => ({ job, pattern })),
  );
}

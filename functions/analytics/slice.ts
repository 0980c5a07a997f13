import { MAIL_EVENTS } from '../../shared/configuration/mail-events.ts';
import { BRAND } from '../../shared/configuration/mail.ts';
import { OAUTH_CLIENTS } from '../../shared/configuration/oauth-clients.ts';
import { isOn } from '../../shared/configuration/sessions.ts';
import { broken, slice, type Given } from '../../shared/configuration/slice.ts';
import { needsDatabase } from '../../shared/configuration/stores.ts';
import type { EdgeFunction } from '../../shared/edge/function.ts';

/** Doors that the page of sign-in shows. */
export interface DoorsConfig {
  /** Whether people sign in by password here. */
  readonly passwordDoor: boolean;
}

const needsRecords = needsDatabase('analytics keeps its figures');

/** The binding of the pages' files; Node has files of its own. */
function lacksAssets({ raw: { ASSETS }, runtime }: Given): boolean {
  return runtime === 'workers' && !(typeof ASSETS === 'object' && ASSETS !== null && 'fetch' in ASSETS);
}

const OWN = slice({
  variables: {},
  faults: (given) => [
    ...needsRecords(given),
    ...broken([
      lacksAssets(given),
      'ASSETS',
      'is missing: bind the files of the pages as [assets] in wrangler.toml, as the one of the repository does',
    ]),
  ],
  read: (_none, { written }): DoorsConfig => ({
    passwordDoor: isOn(written, 'auth') && written['PASSWORD_SIGN_IN'] !== 'off',
  }),
});

export const ANALYTICS = {
  name: 'analytics',
  paths: ['/analytics', '/analytics/'],
  slice: OWN.and(MAIL_EVENTS).and(BRAND).and(OAUTH_CLIENTS),
} as const satisfies EdgeFunction;

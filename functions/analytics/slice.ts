import { MAIL_EVENTS } from '../../shared/configuration/mail-events.ts';
import { BRAND } from '../../shared/configuration/mail.ts';
import { OAUTH_CLIENTS } from '../../shared/configuration/oauth-clients.ts';
import { isOn } from '../../shared/configuration/sessions.ts';
import { slice } from '../../shared/configuration/slice.ts';
import { needsDatabase } from '../../shared/configuration/stores.ts';
import type { EdgeFunction } from '../../shared/edge/function.ts';

/** Doors that the page of sign-in shows. */
export interface DoorsConfig {
  /** Whether people sign in by password here. */
  readonly passwordDoor: boolean;
}

const OWN = slice({
  variables: {},
  faults: needsDatabase('analytics keeps its figures'),
  read: (_none, { written }): DoorsConfig => ({
    passwordDoor: isOn(written, 'auth') && written['PASSWORD_SIGN_IN'] !== 'off',
  }),
});

export const ANALYTICS = {
  name: 'analytics',
  paths: ['/analytics', '/analytics/'],
  slice: OWN.and(MAIL_EVENTS).and(BRAND).and(OAUTH_CLIENTS),
} as const satisfies EdgeFunction;

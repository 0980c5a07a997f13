import { BRAND, MAIL } from '../../shared/configuration/mail.ts';
import { MAIL_EVENTS } from '../../shared/configuration/mail-events.ts';
import { OAUTH_CLIENTS } from '../../shared/configuration/oauth-clients.ts';
import { MIGRATION } from '../../shared/configuration/providers.ts';
import { SESSIONS } from '../../shared/configuration/sessions.ts';
import { broken, slice, type Fault, type Given } from '../../shared/configuration/slice.ts';
import type { EdgeFunction } from '../../shared/edge/function.ts';

const OWN = slice({ variables: {}, faults: databaseFaults, read: () => ({}) });

/** Waves and invitations are rows of the database. */
function databaseFaults({ written, raw }: Given): Fault[] {
  const absent = written['DATABASE_URL'] === undefined && raw['HYPERDRIVE'] === undefined;
  return broken([absent, 'DATABASE_URL', 'is missing: invites keeps waves and invitations there']);
}

export const INVITES = {
  name: 'invites',
  paths: ['/invites/'],
  schedule: { 'wave-reminders': '* * * * *' },
  slice: OWN.and(MAIL_EVENTS).and(SESSIONS).and(MAIL).and(BRAND).and(MIGRATION).and(OAUTH_CLIENTS),
} as const satisfies EdgeFunction;

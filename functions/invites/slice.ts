import { BRAND, MAIL } from '../../shared/configuration/mail.ts';
import { MAIL_EVENTS } from '../../shared/configuration/mail-events.ts';
import { OAUTH_CLIENTS } from '../../shared/configuration/oauth-clients.ts';
import { MIGRATION } from '../../shared/configuration/providers.ts';
import { SESSIONS } from '../../shared/configuration/sessions.ts';
import { slice } from '../../shared/configuration/slice.ts';
import { needsDatabase } from '../../shared/configuration/stores.ts';
import type { EdgeFunction } from '../../shared/edge/function.ts';

const OWN = slice({
  variables: {},
  faults: needsDatabase('invites keeps waves and invitations'),
  read: () => ({}),
});

export const INVITES = {
  name: 'invites',
  paths: ['/invites/'],
  schedule: { 'wave-reminders': '* * * * *' },
  slice: OWN.and(MAIL_EVENTS).and(SESSIONS).and(MAIL).and(BRAND).and(MIGRATION).and(OAUTH_CLIENTS),
} as const satisfies EdgeFunction;

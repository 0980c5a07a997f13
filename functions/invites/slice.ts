import * as z from 'zod';
import { BRAND, MAIL } from '../../shared/configuration/mail.ts';
import { MIGRATION } from '../../shared/configuration/providers.ts';
import { SESSIONS } from '../../shared/configuration/sessions.ts';
import { broken, slice, type Fault, type Given } from '../../shared/configuration/slice.ts';
import type { EdgeFunction } from '../../shared/edge/function.ts';

export interface InvitesConfig {
  /** Bearer secret of what reports bounces; null: its route refuses. */
  readonly eventsSecret: string | null;
}

const OWN = slice({
  variables: { MAIL_EVENTS_SECRET: z.string().optional() },
  faults: databaseFaults,
  read: (v): InvitesConfig => ({ eventsSecret: v.MAIL_EVENTS_SECRET ?? null }),
});

/** Waves and invitations are rows of the database. */
function databaseFaults({ written, raw }: Given): Fault[] {
  const absent = written['DATABASE_URL'] === undefined && raw['HYPERDRIVE'] === undefined;
  return broken([absent, 'DATABASE_URL', 'is missing: invites keeps waves and invitations there']);
}

export const INVITES = {
  name: 'invites',
  paths: ['/invites/'],
  schedule: { 'wave-reminders': '* * * * *' },
  slice: OWN.and(SESSIONS).and(MAIL).and(BRAND).and(MIGRATION),
} as const satisfies EdgeFunction;

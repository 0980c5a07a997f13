import type { PartOf } from '../../shared/configuration/slice.ts';
import type { Deps } from '../../shared/deps.ts';
import type { Brought } from '../../shared/edge/function.ts';
import type { Outbox } from '../../shared/mail/outbox.ts';
import { invitesJobs } from './jobs.ts';
import type { INVITES } from './slice.ts';

/** What the bundle provides. */
export type InvitesPorts = Pick<Deps, 'platform' | 'log' | 'random' | 'database' | 'keyRing'> & {
  /** Null where no mail is configured: then no wave starts. */
  readonly outbox: Outbox | null;
};

/** Waves of invitations, and their pages. */
export function createInvites(ports: InvitesPorts, config: PartOf<typeof INVITES.slice>): Brought {
  const { database, keyRing } = ports;
  if (database === null || keyRing === null || config.sessions === null)
    throw new Error('invites needs a database and session keys: its slice makes their absence a fault');
  const deps = { ...ports, database, keyRing, sessions: config.sessions, config };
  return { routes: [], jobs: invitesJobs(deps) };
}

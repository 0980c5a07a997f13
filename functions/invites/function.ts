import type { PartOf } from '../../shared/configuration/slice.ts';
import type { Brought } from '../../shared/edge/function.ts';
import type { InvitesPorts } from './deps.ts';
import { eventsRoute } from './events.ts';
import { invitesJobs } from './jobs.ts';
import { pagesRoute } from './routes.ts';
import type { INVITES } from './slice.ts';

/** Waves of invitations, and their pages. */
export function createInvites(ports: InvitesPorts, config: PartOf<typeof INVITES.slice>): Brought {
  const { database, keyRing } = ports;
  if (database === null || keyRing === null || config.sessions === null)
    throw new Error('invites needs a database and session keys: its slice makes their absence a fault');
  const deps = { ...ports, database, keyRing, sessions: config.sessions, config };
  return { routes: [pagesRoute(deps), eventsRoute(deps)], jobs: invitesJobs(deps) };
}

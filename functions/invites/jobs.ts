import type { MailConfig } from '../../shared/configuration/mail.ts';
import type { MigrationConfig } from '../../shared/configuration/providers.ts';
import type { SessionsConfig } from '../../shared/configuration/sessions.ts';
import { dueWaves, listWaves } from '../../shared/invitations/waves.ts';
import type { Outbox } from '../../shared/mail/outbox.ts';
import type { Database } from '../../shared/ports/database.ts';
import type { Log } from '../../shared/ports/log.ts';
import { pause } from '../../shared/ports/runtime.ts';
import type { Job, JobDetail } from '../../shared/runs/job.ts';
import type { KeyRing } from '../../shared/sessions/keys.ts';
import type { INVITES } from './slice.ts';
import { driveWaves } from './waves.ts';

export interface JobDeps {
  readonly database: Database;
  readonly keyRing: KeyRing;
  readonly log: Log;
  /** Null where no mail is configured. */
  readonly outbox: Outbox | null;
  readonly sessions: SessionsConfig;
  readonly config: { readonly mail: MailConfig | null; readonly migration: MigrationConfig };
}

const NO_MAIL: JobDetail = { state: 'not configured: set MAIL_URL and MAIL_FROM' };
const PAUSED: JobDetail = { state: 'the migration is paused: `sallyport migration resume`' };

/** Starts waves that are due, and mails what is due of them. */
export function invitesJobs(deps: JobDeps): Readonly<Record<keyof typeof INVITES.schedule, Job>> {
  return {
    'wave-reminders': {
      async run({ signal, dryRun }) {
        const { outbox, config, database } = deps;
        if (outbox === null || config.mail === null) return NO_MAIL;
        if (dryRun) return preview(database);
        const { mail, migration } = config;
        const { publicUrl } = deps.sessions;
        const provider = migration.provider;
        const driven = await driveWaves(signal, { ...deps, outbox, mail, publicUrl, provider, pause });
        return driven === 'paused' ? PAUSED : { ...driven };
      },
    },
  };
}

async function preview(database: Database): Promise<JobDetail> {
  const [due, running] = await Promise.all([dueWaves(database), listWaves(database, ['running'])]);
  return { would_start: due.map(({ name }) => name), running: running.map(({ name }) => name) };
}

import type { BrandConfig, MailConfig } from '../../shared/configuration/mail.ts';
import type { Deps } from '../../shared/deps.ts';
import type { Brought } from '../../shared/edge/function.ts';
import { messageOf } from '../../shared/errors.ts';
import { openOutbox, type Outbox, type Seal } from '../../shared/mail/outbox.ts';
import { compileTemplates, TEMPLATES_FOLDER } from '../../shared/mail/templates.ts';
import type { Database } from '../../shared/ports/database.ts';
import type { Job, JobDetail } from '../../shared/runs/job.ts';
import { measureOutbox, outboxCheck, readDepth } from './depth.ts';
import { pruneJob } from './prune.ts';
import { openSender, type Sender } from './sender.ts';
import type { MAILER } from './slice.ts';

export interface Mailer extends Brought {
  /** Null without MAIL_URL or a database: then nothing is sent. */
  readonly outbox: Outbox | null;
}

type Needs = Pick<Deps, 'platform' | 'random' | 'log' | 'database' | 'mailServer' | 'collapse'> & {
  /** Null without SESSION_KEYS: contents are then stored as they are. */
  readonly seal: Seal | null;
  readonly config: { readonly mail: MailConfig | null; readonly brand: BrandConfig };
};

/** Most mails that one request sends after itself. */
const NUDGED = 8;

/** Mails from their table to the mail server. Throws UnusableTemplates. */
export function createMail(deps: Needs): Mailer {
  const { config, database, mailServer, platform, random, log, seal } = deps;
  if (database === null) return { outbox: null };
  measureOutbox({ metrics: platform.metrics, database, collapse: deps.collapse });
  const { mail, brand } = config;
  const sender =
    mail === null || mailServer === null ? null : openSender(mail, { ...deps, database, mailServer });
  const brought: Brought = {
    checks: [outboxCheck(database)],
    jobs: { 'mail-send': sendJob(sender, database), 'mail-prune': pruneJob(database) } satisfies Jobs,
  };
  if (mail === null || sender === null) return { ...brought, outbox: null };
  const templates = compileTemplates(platform.readFolder(TEMPLATES_FOLDER));
  const nudge = (): void => {
    const sending = sender.some(NUDGED).catch((error: unknown) => {
      log.warn('mail not sent at once, the schedule sends it', { reason: messageOf(error) });
    });
    platform.background(sending);
  };
  return { ...brought, outbox: openOutbox({ database, random, templates, mail, brand, seal, nudge }) };
}

type Jobs = Readonly<Record<keyof typeof MAILER.schedule, Job>>;

const NO_MAIL: JobDetail = { state: 'not configured: set MAIL_URL and MAIL_FROM' };

/** Sends due mails. */
export function sendJob(sender: Sender | null, database: Pick<Database, 'query'>): Job {
  return {
    async run({ signal, dryRun }) {
      if (sender === null) return NO_MAIL;
      if (!dryRun) return { ...(await sender.all(signal)) };
      const { pending, held, dead } = await readDepth(database);
      return { pending, held, dead };
    },
  };
}

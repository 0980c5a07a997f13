import { BRAND, MAIL } from '../../shared/configuration/mail.ts';
import { MIGRATION } from '../../shared/configuration/providers.ts';
import { SESSIONS } from '../../shared/configuration/sessions.ts';
import { openOutbox } from '../../shared/mail/outbox.ts';
import { sealBy } from '../../shared/mail/seal.ts';
import { compileTemplates, TEMPLATES_FOLDER } from '../../shared/mail/templates.ts';
import { standalone, type StandaloneJob } from '../../shared/runs/job.ts';
import { openKeyRing } from '../../shared/sessions/keys.ts';
import { invitesJobs } from './jobs.ts';
import type { INVITES } from './slice.ts';

/** Mails are put into the outbox; a running bundle or `mail-send` sends them. */
const nudge = (): void => undefined;

export const STANDALONE: Readonly<Record<keyof typeof INVITES.schedule, StandaloneJob>> = {
  'wave-reminders': standalone(MAIL.and(BRAND).and(SESSIONS).and(MIGRATION), (config, ground) => {
    const { mail, brand, sessions } = config;
    if (sessions === null) throw new Error('the job is that of a function that is on, which has sessions');
    const keyRing = openKeyRing(sessions);
    const seal = sealBy(keyRing);
    const outbox = (): ReturnType<typeof openOutbox> | null => {
      if (mail === null) return null;
      const templates = compileTemplates(ground.platform.readFolder(TEMPLATES_FOLDER));
      return openOutbox({ ...ground, templates, mail, brand, seal, nudge });
    };
    const deps = { ...ground, keyRing, outbox: outbox(), sessions, config };
    return { job: invitesJobs(deps)['wave-reminders'] };
  }),
};

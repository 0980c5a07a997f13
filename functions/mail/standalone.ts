import { MAIL } from '../../shared/configuration/mail.ts';
import { SESSIONS } from '../../shared/configuration/sessions.ts';
import { sealBy } from '../../shared/mail/seal.ts';
import { databaseJob, standalone, type StandaloneJob } from '../../shared/runs/job.ts';
import { openKeyRing } from '../../shared/sessions/keys.ts';
import { sendJob } from './function.ts';
import { pruneJob } from './prune.ts';
import { openSender } from './sender.ts';
import type { MAILER } from './slice.ts';

/** Neither needs templates: waiting mails name theirs by content. */
export const STANDALONE: Readonly<Record<keyof typeof MAILER.schedule, StandaloneJob>> = {
  'mail-send': standalone(MAIL.and(SESSIONS), ({ mail, sessions }, ground) => {
    const mailServer = ground.openMailServer({ mail });
    if (mail === null || mailServer === null) return { job: sendJob(null, ground.database) };
    const seal = sealBy(sessions === null ? null : openKeyRing(sessions));
    return { job: sendJob(openSender(mail, { ...ground, mailServer, seal }), ground.database) };
  }),
  'mail-prune': databaseJob(({ database }) => pruneJob(database)),
};

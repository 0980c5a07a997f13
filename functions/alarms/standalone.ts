import { BRAND, MAIL } from '../../shared/configuration/mail.ts';
import { SESSIONS } from '../../shared/configuration/sessions.ts';
import { openOutbox, type Outbox } from '../../shared/mail/outbox.ts';
import { sealBy } from '../../shared/mail/seal.ts';
import { compileTemplates, TEMPLATES_FOLDER } from '../../shared/mail/templates.ts';
import { standalone, type JobGround, type StandaloneJob } from '../../shared/runs/job.ts';
import { openKeyRing } from '../../shared/sessions/keys.ts';
import { alarmsJobs, type AlarmsJobs } from './function.ts';
import { ALARMING } from './slice.ts';

const SLICE = ALARMING.slice.and(MAIL).and(BRAND).and(SESSIONS);

function job(name: keyof AlarmsJobs): StandaloneJob {
  return standalone(SLICE, ({ mail, brand, sessions, ...config }, ground: JobGround) => {
    const outbox = (): Outbox | null => {
      if (mail === null) return null;
      const templates = compileTemplates(ground.platform.readFolder(TEMPLATES_FOLDER));
      const seal = sealBy(sessions === null ? null : openKeyRing(sessions));
      // A running bundle or `mail-send` sends.
      return openOutbox({ ...ground, templates, mail, brand, seal, nudge: () => undefined });
    };
    return { job: alarmsJobs({ ...ground, config, outbox: outbox() })[name] };
  });
}

export const STANDALONE: Readonly<Record<keyof typeof ALARMING.schedule, StandaloneJob>> = {
  alarms: job('alarms'),
  watch: job('watch'),
  'weekly-report': job('weekly-report'),
};

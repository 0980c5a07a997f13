import { BRAND, MAIL } from '../../shared/configuration/mail.ts';
import { slice } from '../../shared/configuration/slice.ts';
import type { EdgeFunction } from '../../shared/edge/function.ts';
import { templateFaults, TEMPLATES_FOLDER } from '../../shared/mail/templates.ts';

/** The templates: checked where mail is sent. */
const TEMPLATES = slice({
  variables: {},
  texts: ({ written }, files) =>
    written['MAIL_URL'] === undefined
      ? []
      : templateFaults(files.readFolder(TEMPLATES_FOLDER)).map((problem) => ({
          variable: `${TEMPLATES_FOLDER}/`,
          problem,
        })),
  read: () => ({}),
});

export const MAILER = {
  name: 'mail',
  paths: [],
  schedule: { 'mail-send': '* * * * *', 'mail-prune': '30 3 * * *' },
  slice: MAIL.and(BRAND).and(TEMPLATES),
} as const satisfies EdgeFunction;

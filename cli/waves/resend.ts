import { BRAND, MAIL } from '../../shared/configuration/mail.ts';
import { MIGRATION } from '../../shared/configuration/providers.ts';
import { sendAgain, whyNotAgain, type NotSent } from '../../shared/invitations/again.ts';
import { openOutbox } from '../../shared/mail/outbox.ts';
import { sealBy } from '../../shared/mail/seal.ts';
import { Failure } from '../failure.ts';
import { withGround } from '../ground.ts';
import { print, printJson } from '../terminal.ts';
import { findUser } from '../users/find.ts';
import { by, LINKS, usableTemplates, withMail, type Output } from './ground.ts';

export interface ResendCommand extends Output {
  readonly tenant?: string;
}

const WHY: Readonly<Record<NotSent, string>> = {
  unknown: 'is gone',
  inactive: 'is not active, or the tenant is not',
  completed: 'is across already',
  excluded: 'is excluded: `sallyport users include` first',
  not_provisioned: 'has no account at the provider: `sallyport users provision` makes it',
  unreachable: 'gets no mail: the address bounced, complained or is none',
  wave_paused: 'is in a wave that is paused: `sallyport waves resume` first',
  migration_paused: 'is not mailed while the migration is paused: `sallyport migration resume` first',
  busy: 'gets another link at this moment: try again',
};

/** Mails one person a new link; those before it no longer count. */
export async function runResend(
  idOrMail: string,
  { tenant, dryRun = false, json }: ResendCommand,
): Promise<void> {
  await withGround(MAIL.and(BRAND).and(MIGRATION).and(LINKS), async (config, ground) => {
    const { brand, keyRing, publicUrl } = config;
    const mail = withMail(config.mail);
    const templates = usableTemplates();
    const user = await findUser(ground.database, idOrMail, tenant ?? null);
    const refused = (why: NotSent): Failure => new Failure(`${user.email} ${WHY[why]}`);
    const why = await whyNotAgain(ground.database, user.id);
    if (why !== undefined) throw refused(why);
    if (!dryRun) {
      const outbox = openOutbox({
        ...ground,
        templates,
        mail,
        brand,
        seal: sealBy(keyRing),
        nudge: () => undefined,
      });
      const deps = {
        database: ground.database,
        outbox,
        keyRing,
        mail,
        publicUrl,
        provider: config.migration.provider,
      };
      const sent = await sendAgain(user.id, by(), deps);
      if (!sent.ok) throw refused(sent.why);
    }
    if (json === true) printJson({ user: user.id, tenant: user.slug, email: user.email, dry_run: dryRun });
    else
      print(
        `${user.email} ${dryRun ? 'would get a new link, nothing was changed' : 'gets a new link with the next minute'}`,
      );
  });
}

import { readDepth } from '../../functions/mail/depth.ts';
import { MAIL } from '../../shared/configuration/mail.ts';
import { green, NotSetUp, red, yellow, type Finding } from '../../shared/checks/check.ts';
import { openMailServer } from '../../shared/deps.ts';
import { MailUnavailable } from '../../shared/ports/mail.ts';
import { partOf, withDatabase, type DoctorGround } from './ground.ts';

function mailOf() {
  const { mail } = partOf(MAIL);
  if (mail === null)
    throw new NotSetUp('no mail is sent (MAIL_URL is not set)', 'set MAIL_URL and MAIL_FROM');
  return mail;
}

/** Connects, encrypts and signs in; sends nothing. */
export async function mail(ground: DoctorGround): Promise<Finding> {
  const config = mailOf();
  const { host, port, security } = config.smtp;
  const server = openMailServer({ mail: config }, ground);
  try {
    const line = await server?.connect();
    line?.close();
  } catch (error) {
    if (!(error instanceof MailUnavailable)) throw error;
    return red(`${host}:${port}: ${error.message}`, nextFor(error.message));
  }
  return green(`${host}:${port} takes mail${security === 'none' ? ', in the clear, on this machine' : ''}`);
}

function nextFor(reason: string): string {
  if (/certificate/.test(reason))
    return 'take a server whose certificate is trusted, or name its authority by ca= in MAIL_URL';
  if (/53[0-9]|auth|sign in|credential/i.test(reason))
    return 'write the right user and password into MAIL_URL';
  return 'let MAIL_URL lead to a mail server whose port is open from here';
}

const OLD_S = 3_600;

export async function mailQueue(): Promise<Finding> {
  mailOf();
  return withDatabase(async (database) => {
    const { pending, held, dead, oldestSeconds } = await readDepth(database);
    if (oldestSeconds > OLD_S)
      return red(
        `the oldest of ${pending} mails has waited for ${Math.floor(oldestSeconds / 60)} minutes`,
        'sallyport cron run mail-send',
      );
    if (dead > 0) return yellow(`${dead} mails of the last day are set aside`);
    if (held > 0)
      return yellow(`${held} mails wait while the migration is paused`, 'sallyport migration resume');
    return green(pending === 0 ? 'no mail waits' : `${pending} mails are on their way`);
  });
}

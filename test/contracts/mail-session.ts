import { smtpServer } from '../../shared/adapters/smtp/server.ts';
import { MailUnavailable } from '../../shared/ports/mail.ts';
import type { Session, SessionResult } from './mail.contract.ts';

/** Runs in both runtimes. */
export async function runSession(
  session: Session,
  readText: (path: string) => string,
): Promise<SessionResult> {
  const { config, bounds = {}, mails } = session;
  const server = smtpServer({ config, readText, bounds });
  try {
    const line = await server.connect();
    const outcomes = [];
    for (const { commit, date, ...mail } of mails) {
      const committing = async (): Promise<void> => {
        if (commit === 'fails') throw new Error('not committed');
      };
      // A date that came as JSON is a text.
      const sent = line.send({ ...mail, date: new Date(date) }, committing);
      outcomes.push(await sent.catch((error: unknown) => ({ thrown: (error as Error).message })));
      if (!line.open) break;
    }
    const { open } = line;
    line.close();
    return { outcomes, open };
  } catch (error) {
    if (error instanceof MailUnavailable) return { unavailable: error.message };
    throw error;
  }
}

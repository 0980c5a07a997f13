import type { SmtpConfig } from '../../shared/ports/mail.ts';
import { makeCertificates } from '../support/certificates.ts';
import { startTrusting, type Trusting } from '../support/trusting.ts';
import type { Session, SessionResult } from './mail.contract.ts';
import { runSession } from './mail-session.ts';

/** Of an authority that both runtimes trust. */
export const certificates = makeCertificates();

export interface Runtime {
  readonly name: string;
  start(): Promise<void>;
  run(session: Session): Promise<SessionResult>;
  close(): Promise<void>;
}

let worker: Trusting | undefined;

/** Where SMTP is spoken. */
export const RUNTIMES: readonly Runtime[] = [
  {
    name: 'Node',
    start: async () => undefined,
    run: (session) => runSession(session, () => certificates.authority),
    close: async () => undefined,
  },
  {
    name: 'workerd',
    async start() {
      worker = await startTrusting(new URL('mail.worker.ts', import.meta.url), certificates);
    },
    async run(session) {
      // Its certificates are trusted as public ones are: there are no files to name one in.
      const config: SmtpConfig = { ...session.config, caFile: null };
      const answer = await fetch(worker!.url, {
        method: 'POST',
        body: JSON.stringify({ ...session, config }),
      });
      return (await answer.json()) as SessionResult;
    },
    close: () => worker!.close(),
  },
];

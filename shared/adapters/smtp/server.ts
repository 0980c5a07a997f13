import type { MailServer, SmtpConfig } from '../../ports/mail.ts';
import type { SmtpBounds } from './bounds.ts';

const BOUNDS: SmtpBounds = { connect: 10_000, answer: 30_000, attempt: 45_000 };

export interface SmtpOptions {
  readonly config: SmtpConfig;
  readonly readText: (path: string) => string;
  readonly bounds?: Partial<SmtpBounds>;
}

/** A mail server over SMTP, on both runtimes. What speaks the protocol is loaded with the first mail. */
export function smtpServer({ config, readText, bounds }: SmtpOptions): MailServer {
  return {
    async connect() {
      const { openLine } = await import('./line.ts');
      const ca = config.caFile === null ? undefined : readText(config.caFile);
      return openLine({ config, ca, bounds: { ...BOUNDS, ...bounds } });
    },
  };
}

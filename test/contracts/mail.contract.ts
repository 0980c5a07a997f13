import type { OutgoingMail, MailOutcome, SmtpConfig } from '../../shared/ports/mail.ts';

/** What one runtime is asked to do: one connection, the mails one after another, each with a commit that passes or fails. */
export interface Session {
  readonly config: SmtpConfig;
  readonly bounds?: { readonly connect?: number; readonly answer?: number; readonly attempt?: number };
  readonly mails: readonly (OutgoingMail & { readonly commit?: 'fails' })[];
}

export type SessionResult =
  | { readonly unavailable: string }
  | { readonly outcomes: readonly (MailOutcome | { readonly thrown: string })[]; readonly open: boolean };

/** How a mail server is reached. */
export interface SmtpConfig {
  readonly host: string;
  readonly port: number;
  /** `starttls`: required, never optional; `none`: on loopback alone. */
  readonly security: 'starttls' | 'tls' | 'none';
  readonly credentials: { readonly user: string; readonly password: string } | null;
  /** PEM of the only trusted authorities; null: those of the runtime. Node only. */
  readonly caFile: string | null;
}

export interface MailAddress {
  readonly name: string | null;
  readonly address: string;
}

/** A domain by its A-labels (RFC 5890 §2.3.2.1); as it is where it is none. */
export function asciiDomain(domain: string): string {
  return URL.canParse(`http://${domain}`) ? new URL(`http://${domain}`).hostname : domain;
}

/** One mail to one address. The same fields always make the same bytes. */
export interface OutgoingMail {
  readonly from: MailAddress;
  readonly replyTo: MailAddress | null;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** With its angle brackets (RFC 5322 §3.6.4). */
  readonly messageId: string;
  readonly date: Date;
  /** Further fields, ASCII. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/**
 * `accepted`: the server has it. `refused`: for good (5yz for this mail). `later`: not accepted now (4yz, a lost connection or
 * a time-out before the end of the message). `unknown`: the message was sent to its end and no answer came.
 * `reason`: the server's own words, without credentials.
 */
export interface MailOutcome {
  readonly result: 'accepted' | 'refused' | 'later' | 'unknown';
  readonly reason: string;
  /** SMTP reply code; undefined without an answer. */
  readonly code: number | undefined;
}

/** One connection, for one mail after another. */
export interface MailLine {
  /** False once the connection cannot take another mail. */
  readonly open: boolean;
  /**
   * Resolves within the bounds of the adapter, whatever the server does. `commit` runs right before the message's end is sent;
   * when it rejects, the message is not sent and the rejection is thrown.
   */
  send(mail: OutgoingMail, commit: () => Promise<void>): Promise<MailOutcome>;
  /** Takes leave of the server; bounded, never throws. */
  close(): void;
}

export interface MailServer {
  /** Connected, encrypted and signed in. Throws MailUnavailable. */
  connect(): Promise<MailLine>;
}

/** The mail server cannot be reached, is not trusted, or does not let us in. */
export class MailUnavailable extends Error {
  override readonly name = 'MailUnavailable';

  constructor(reason: string) {
    super(`the mail server is unavailable: ${reason}`);
  }
}

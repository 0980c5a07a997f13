import net from 'node:net';
import { Readable } from 'node:stream';
import tls from 'node:tls';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import { MailUnavailable, type MailLine, type OutgoingMail, type SmtpConfig } from '../../ports/mail.ts';
import { answerIn, CLOSING, codeIn, outcomeOf, reasonOf, shown } from './answers.ts';
import { envelopeAddress, formatMessage } from './message.ts';
import type { SmtpBounds } from './bounds.ts';
import { inTime } from '../../ports/runtime.ts';

export interface LineOptions {
  readonly config: SmtpConfig;
  /** PEM of the only trusted authorities. */
  readonly ca: string | undefined;
  readonly bounds: SmtpBounds;
}

/** Throws MailUnavailable. */
export async function openLine(options: LineOptions): Promise<MailLine> {
  const { config, bounds } = options;
  let connection: SMTPConnection | undefined;
  let socket: net.Socket | undefined;
  const opening = async (): Promise<SMTPConnection> => {
    socket = connectSocket(options);
    await connected(socket, config);
    connection = sessionOn(socket, options);
    await greeted(connection);
    if (config.credentials !== null) await signedIn(connection, config.credentials);
    return connection;
  };
  try {
    return lineOn(await within(bounds.connect, opening()), options);
  } catch (error) {
    connection?.close();
    socket?.destroy();
    throw new MailUnavailable(reasonOf(error, config));
  }
}

/**
 * A socket of our own in the place of nodemailer's: workerd resolves names itself when it connects, and has no `dns.lookup`;
 * nodemailer speaks over it, and upgrades it by STARTTLS, on both runtimes alike.
 */
function connectSocket({ config, ca }: LineOptions): net.Socket {
  const { host, port } = config;
  if (config.security !== 'tls') return net.connect({ host, port });
  return tls.connect({ host, port, ...tlsOptions(config, ca) });
}

function tlsOptions({ host }: SmtpConfig, ca: string | undefined): tls.ConnectionOptions {
  // A server name must not be an address (RFC 6066 §3); the certificate is held against the address all the same.
  return { ...(net.isIP(host) === 0 && { servername: host }), ...(ca !== undefined && { ca }) };
}

function connected(socket: net.Socket, { security }: SmtpConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(security === 'tls' ? 'secureConnect' : 'connect', () => {
      resolve();
    });
    socket.once('error', reject);
    socket.once('close', () => {
      reject(new Error('the connection was closed'));
    });
  });
}

function sessionOn(socket: net.Socket, { config, ca, bounds }: LineOptions): SMTPConnection {
  const { host, port, security } = config;
  return new SMTPConnection({
    connection: socket,
    host,
    port,
    secure: security === 'tls',
    secured: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    tls: tlsOptions(config, ca),
    connectionTimeout: bounds.connect,
    greetingTimeout: bounds.connect,
    socketTimeout: bounds.answer,
    socketCloseTimeout: 1_000,
    maxResponseSize: 64 * 1_024,
  });
}

function greeted(connection: SMTPConnection): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.on('error', reject);
    connection.once('end', () => {
      reject(new Error('the server closed the connection'));
    });
    connection.connect(settling(resolve, reject));
  });
}

/** nodemailer calls back with an error, with null, or with nothing. */
function settling(resolve: () => void, reject: (error: Error) => void): (error?: unknown) => void {
  return (error) => {
    if (error instanceof Error) reject(error);
    else resolve();
  };
}

function signedIn(
  connection: SMTPConnection,
  { user, password }: { readonly user: string; readonly password: string },
): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.login({ user, pass: password }, settling(resolve, reject));
  });
}

function lineOn(connection: SMTPConnection, { config, bounds }: LineOptions): MailLine {
  let open = true;
  const over = (): void => {
    open = false;
  };
  connection.on('error', over);
  connection.once('end', over);
  const drop = (): void => {
    over();
    connection.close();
  };
  return {
    get open() {
      return open;
    },
    async send(mail, commit) {
      const ending = { committed: false, failure: undefined as { readonly error: unknown } | undefined };
      const body = Readable.from(bodyOf(mail, commit, ending));
      const sending = transmit(connection, mail, body);
      try {
        const response = await within(bounds.attempt, sending);
        return { result: 'accepted', reason: shown(response, config), code: codeIn(response) };
      } catch (error) {
        const code = answerIn(error);
        // Cut off, so that the server gets no end of the message.
        if (ending.failure !== undefined || code === undefined || code === CLOSING) drop();
        else if (!(await isReset(connection, bounds))) drop();
        if (ending.failure !== undefined) throw ending.failure.error;
        return outcomeOf(code, ending.committed, reasonOf(error, config));
      }
    },
    close() {
      if (open) connection.quit();
      else connection.close();
      over();
    },
  };
}

interface Ending {
  committed: boolean;
  failure: { readonly error: unknown } | undefined;
}

/** The end of the stream makes the line that ends the message, so what must happen before is awaited here. */
async function* bodyOf(mail: OutgoingMail, commit: () => Promise<void>, ending: Ending) {
  yield Buffer.from(formatMessage(mail));
  try {
    await commit();
  } catch (error) {
    ending.failure = { error };
    throw error;
  }
  ending.committed = true;
}

function transmit(connection: SMTPConnection, mail: OutgoingMail, body: Readable): Promise<string> {
  const envelope = { from: envelopeAddress(mail.from.address), to: [envelopeAddress(mail.to)] };
  return new Promise((resolve, reject) => {
    const lost = (error?: Error): void => {
      reject(error ?? new Error('the server closed the connection'));
    };
    connection.once('error', lost);
    connection.once('end', lost);
    connection.send(envelope, body, (error: unknown, info: { readonly response?: string } | undefined) => {
      connection.off('error', lost);
      connection.off('end', lost);
      settling(() => {
        resolve(info?.response ?? '');
      }, reject)(error);
    });
  });
}

/** Ends the refused transaction: without it the next MAIL FROM would be a second one within it (RFC 5321 §4.1.1.5). */
function isReset(connection: SMTPConnection, { connect }: SmtpBounds): Promise<boolean> {
  const resetting = new Promise<boolean>((resolve) => {
    connection.once('end', () => {
      resolve(false);
    });
    connection.reset((error: unknown) => {
      resolve(!(error instanceof Error));
    });
  });
  return within(connect, resetting).catch(() => false);
}

/** Rejects after `ms`. */
function within<T>(ms: number, work: Promise<T>): Promise<T> {
  return inTime(ms, work, () => {
    throw new Error(`no end within ${ms} ms`);
  });
}

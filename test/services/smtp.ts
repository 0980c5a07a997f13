/** A real SMTP server of a vendor (smtp-server, by the makers of nodemailer) on loopback, and the faults that servers have. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server';
import type { Certificate } from '../support/certificates.ts';

export interface Received {
  readonly from: string;
  readonly to: readonly string[];
  /** As it came, without dot-stuffing. */
  readonly raw: string;
  readonly at: number;
  readonly secure: boolean;
  readonly user: string | undefined;
}

/** What is done with the next mails: a reply by its code, or no reply at all. A function gets no mail before its DATA. */
export type Behaviour =
  | 'accept'
  /** Gets the whole message and closes the connection instead of answering: the first keeps none, the second keeps it. */
  | 'close after data'
  | 'take and close'
  /** Takes the message and never answers. */
  | 'stall after data'
  | { readonly at: 'mail' | 'rcpt' | 'data'; readonly code: number; readonly text: string };

export interface SmtpService {
  readonly port: number;
  readonly received: Received[];
  /** Connections so far. */
  readonly connections: () => number;
  behave(as: Behaviour | ((mail: Received | undefined) => Behaviour)): void;
  close(): Promise<void>;
}

export interface SmtpServiceOptions {
  /** Absent: no TLS at all. */
  readonly certificate?: Certificate;
  /** TLS from the first byte. */
  readonly implicit?: boolean;
  /** The only account; absent: none is asked for. */
  readonly account?: { readonly user: string; readonly password: string };
}

export async function startSmtp(options: SmtpServiceOptions = {}): Promise<SmtpService> {
  const { certificate, implicit = false, account } = options;
  const received: Received[] = [];
  let behaviour: (mail: Received | undefined) => Behaviour = () => 'accept';
  let connections = 0;
  const reply = (at: 'mail' | 'rcpt' | 'data', now = behaviour(undefined)): Error | undefined => {
    if (typeof now === 'string' || now.at !== at) return undefined;
    return Object.assign(new Error(now.text), { responseCode: now.code });
  };
  const server = new SMTPServer({
    logger: false,
    secure: implicit,
    ...(certificate ?? {}),
    disabledCommands: certificate === undefined ? ['STARTTLS'] : [],
    authOptional: account === undefined,
    allowInsecureAuth: certificate === undefined,
    closeTimeout: 100,
    // A client that breaks the connection off does so on purpose here.
    disableReverseLookup: true,
    onConnect(_session, done) {
      connections += 1;
      done();
    },
    onAuth({ username, password }, _session, done) {
      if (account !== undefined && username === account.user && password === account.password)
        done(null, { user: username });
      else done(Object.assign(new Error(`no such login ${password ?? ''}`), { responseCode: 535 }));
    },
    onMailFrom(_address, _session, done) {
      done(reply('mail'));
    },
    onRcptTo(_address, _session, done) {
      done(reply('rcpt'));
    },
    onData(stream: SMTPServerDataStream, session: SMTPServerSession, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const mail = receivedIn(session, Buffer.concat(chunks).toString());
        const now = behaviour(mail);
        if (now === 'stall after data') return;
        if (now === 'close after data' || now === 'take and close') {
          if (now === 'take and close') received.push(mail);
          for (const each of socketsOf(server)) each.destroy();
          return;
        }
        const fault = reply('data', now);
        if (fault === undefined) received.push(mail);
        done(fault, 'kept as 42');
      });
    },
  });
  server.on('error', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  return {
    port: (server.server.address() as AddressInfo).port,
    received,
    connections: () => connections,
    behave(as) {
      behaviour = typeof as === 'function' ? as : () => as;
    },
    close: () =>
      new Promise((resolve) => {
        for (const each of socketsOf(server)) each.destroy();
        server.close(() => {
          resolve();
        });
      }),
  };
}

function receivedIn(session: SMTPServerSession, raw: string): Received {
  const { envelope, secure } = session;
  const user: unknown = session.user;
  const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address;
  const signedIn = typeof user === 'string' ? user : undefined;
  return {
    from,
    to: envelope.rcptTo.map(({ address }) => address),
    raw,
    at: Date.now(),
    secure,
    user: signedIn,
  };
}

function socketsOf(server: SMTPServer): Socket[] {
  const { connections } = server as unknown as {
    readonly connections: ReadonlySet<{ readonly _socket: Socket }>;
  };
  return [...connections].map(({ _socket }) => _socket);
}

export interface SilentService {
  readonly port: number;
  close(): Promise<void>;
}

/** Takes connections and says `greeting`, or nothing; then nothing more. */
export async function startSilent(greeting = ''): Promise<SilentService> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    if (greeting !== '') socket.write(greeting);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => {
          resolve();
        });
      }),
  };
}

/** What is answered to a command: lines, or the end of the connection, or nothing. `body`: the end of a message. */
export type Script = Readonly<
  Partial<Record<'greeting' | 'EHLO' | 'STARTTLS' | 'MAIL' | 'RCPT' | 'DATA' | 'body', string>>
>;

export interface ScriptedService extends SilentService {
  /** What came, line by line. */
  readonly lines: string[];
}

const USUAL: Required<Script> = {
  greeting: '220 scripted',
  EHLO: '250 scripted',
  STARTTLS: '454 none',
  MAIL: '250 ok',
  RCPT: '250 ok',
  DATA: '354 go on',
  body: '250 kept',
};

/** A server that breaks the protocol as `script` says: `close` ends the connection, `stall` never answers. */
export async function startScripted(script: Script): Promise<ScriptedService> {
  const answers = { ...USUAL, ...script };
  const lines: string[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    const say = (answer: string): void => {
      if (answer === 'close') socket.destroy();
      else if (answer !== 'stall') socket.write(`${answer}\r\n`);
    };
    let rest = '';
    let inBody = false;
    socket.on('data', (chunk: Buffer) => {
      const parts = (rest + chunk.toString('latin1')).split('\r\n');
      rest = parts.pop() ?? '';
      for (const line of parts) {
        lines.push(line);
        const verb = inBody ? (line === '.' ? 'body' : '') : (line.split(/[ :]/)[0] ?? '').toUpperCase();
        if (verb in answers) say(answers[verb as keyof Script]);
        else if (!inBody) say('250 ok');
        inBody = inBody ? line !== '.' : verb === 'DATA' && answers.DATA.startsWith('354');
      }
    });
    say(answers.greeting);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    lines,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => {
          resolve();
        });
      }),
  };
}

import { afterAll, beforeAll, beforeEach } from 'vitest';
import * as z from 'zod';
import { readFolder } from '../../shared/configuration/folder.ts';
import type { BrandConfig, MailConfig } from '../../shared/configuration/mail.ts';
import { parseRate } from '../../shared/counting/rate.ts';
import { smtpServer } from '../../shared/adapters/smtp/server.ts';
import type { SmtpBounds } from '../../shared/adapters/smtp/bounds.ts';
import { openOutbox, type NewMail, type Outbox, type Seal } from '../../shared/mail/outbox.ts';
import { compileTemplates, type TemplateFiles } from '../../shared/mail/templates.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import { webRandom } from '../../shared/runtime.ts';
import { createPlatform } from '../../shared/adapters/node/platform.ts';
import { openSender, type Sender } from '../../functions/mail/sender.ts';
import { startSmtp, type SmtpService } from '../services/smtp.ts';
import type { DatabaseKind, MigratedDatabase } from '../support/databases.ts';

export const BRAND: BrandConfig = { product: 'Inventory', supportEmail: 'help@example.org', guideUrl: null };

export function mailConfig(port: number, rate = '100000/60s'): MailConfig {
  return {
    smtp: { host: '127.0.0.1', port, security: 'none', credentials: null, caFile: null },
    from: { name: 'Example', address: 'no-reply@example.org' },
    replyTo: { name: null, address: 'help@example.org' },
    rate: parseRate(rate, 'mail')!,
  };
}

export interface InstanceOptions {
  readonly rate?: string;
  readonly seal?: Seal | null;
  readonly files?: TemplateFiles;
  readonly bounds?: Partial<SmtpBounds>;
  readonly leaseMs?: number;
}

export interface Line {
  readonly message: string;
  readonly [field: string]: unknown;
}

export interface Instance {
  readonly outbox: Outbox;
  readonly sender: Sender;
  readonly lines: Line[];
  readonly counted: string[];
  /** Settles when what the last nudge began has ended. */
  readonly nudged: () => Promise<unknown>;
  /** Sends until nothing is due. */
  readonly send: () => ReturnType<Sender['all']>;
}

export function senderOn(
  database: Database,
  port: number,
  options: InstanceOptions = {},
): Omit<Instance, 'outbox' | 'send' | 'nudged'> & { readonly mail: MailConfig } {
  const { rate, seal = null, bounds, leaseMs } = options;
  const mail = mailConfig(port, rate);
  const lines: Line[] = [];
  const counted: string[] = [];
  const write = (message: string, fields: object = {}): void => void lines.push({ message, ...fields });
  const own = { debug: write, info: write, warn: write, error: write };
  const random = webRandom();
  const platform = createPlatform();
  const log = { ...own, lines: undefined, flush: () => undefined };
  const sender = openSender(mail, {
    database,
    random,
    log,
    seal,
    platform: {
      ...platform,
      metrics: {
        ...platform.metrics,
        counter: () => (value?: string) => void counted.push(value ?? ''),
      },
    },
    mailServer: smtpServer({ config: mail.smtp, readText: () => '', ...(bounds && { bounds }) }),
    ...(leaseMs !== undefined && { leaseMs }),
  });
  return { sender, lines, counted, mail };
}

/** One process of a bundle: its own connections, the database shared. */
export function instance(database: Database, port: number, options: InstanceOptions = {}): Instance {
  const { seal = null, files = readFolder('config/mail') } = options;
  const { sender, lines, counted, mail } = senderOn(database, port, options);
  const random = webRandom();
  const templates = compileTemplates(files);
  let nudged: Promise<unknown> = Promise.resolve();
  const outbox = openOutbox({
    ...{ database, random, templates, mail, seal, brand: BRAND },
    nudge: () => void (nudged = sender.some(8)),
  });
  return {
    outbox,
    sender,
    lines,
    counted,
    nudged: () => nudged,
    send: () => sender.all(new AbortController().signal),
  };
}

export const RESET: NewMail = {
  kind: 'password-reset',
  to: 'alice@example.org',
  tenant: null,
  values: { name: 'Alice', link: 'https://app.example.org/reset?token=s3cret', minutes: '30' },
};

export const invitation = (n: number): NewMail => ({
  kind: 'invitation',
  to: `user-${n}@example.org`,
  tenant: null,
  key: `wave-1-${n}`,
  values: {
    name: `User ${n}`,
    link: `https://app.example.org/invites/t${n}`,
    unsubscribe_link: `https://app.example.org/invites/t${n}/unsubscribe`,
    provider: 'Kanidm',
  },
});

export async function put(database: Database, outbox: Outbox, ...mails: readonly NewMail[]): Promise<void> {
  for (const mail of mails) await database.execute(await outbox.enqueue(mail));
}

const Row = z.object({
  recipient: z.string(),
  status: z.string(),
  attempts: z.number(),
  unanswered: z.number(),
  content: z.string().nullable(),
  last_error: z.string().nullable(),
  waits: z.number(),
});

export const rowsOf = (database: Database) =>
  database.query(
    sql`select recipient, status, attempts, unanswered, content, last_error,
          extract(epoch from due_at - now())::float8 as waits
        from sallyport_outbox order by created_at, recipient`,
    Row,
  );

export const dueNow = (database: Database) =>
  database.execute(
    sql`update sallyport_outbox set due_at = now(), lease_until = null, lease_id = null where status = 'pending'`,
  );

export async function emptied(database: Database): Promise<void> {
  await database.execute(
    sql`truncate sallyport_outbox, sallyport_mail_pace, sallyport_mail_suppressed, sallyport_switches`,
  );
}

export interface MailTests {
  readonly db: MigratedDatabase;
  readonly smtp: SmtpService;
}

/** A database and a mail server for the tests around it; before each of them both are emptied, and the server accepts. */
export function setMail(kind: DatabaseKind, empty = emptied): MailTests {
  let db: MigratedDatabase;
  let smtp: SmtpService;
  beforeAll(async () => {
    [db, smtp] = await Promise.all([kind.start(), startSmtp()]);
  });
  afterAll(async () => {
    await smtp.close();
    await db.close();
  });
  beforeEach(async () => {
    await empty(db.database);
    smtp.received.length = 0;
    smtp.behave('accept');
  });
  return {
    get db() {
      return db;
    },
    get smtp() {
      return smtp;
    },
  };
}

/** A header field of a message, unfolded. */
export function field(raw: string, name: string): string | undefined {
  const head = raw.slice(0, raw.indexOf('\r\n\r\n')).replaceAll(/\r\n[ \t]+/g, ' ');
  return head
    .split('\r\n')
    .find((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}: `))
    ?.slice(name.length + 2);
}

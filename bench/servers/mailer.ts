/**
 * What sends the bench's mails: `node mailer.js PORT DATABASE_URL SMTP_PORT SESSION_KEYS`, where PORT only says that it is up. `job` sends what
 * is due, as the job mail-send does; `loop N` sends N mails by nodemailer's pool. Each answers with its milliseconds.
 */
import { createServer } from 'node:net';
import { createTransport } from 'nodemailer';
import { openSender } from '../../functions/mail/sender.ts';
import { createPlatform, openDatabase, openGround, openMailServer } from '../../shared/deps.ts';
import { fill } from '../../shared/mail/fill.ts';
import { messageIdOf } from '../../shared/mail/outbox.ts';
import { sealBy } from '../../shared/mail/seal.ts';
import { compileTemplates, TEMPLATES_FOLDER } from '../../shared/mail/templates.ts';
import { openKeyRing } from '../../shared/sessions/keys.ts';
import { FROM, mailConfig, REPLY_TO, valuesOf } from '../crossing/mail-setup.ts';

/** Connections at once, on both sides: nodemailer's own number. */
const CONNECTIONS = 5;

const [port, url = '', smtpPort, keys = ''] = process.argv.slice(2);
const platform = createPlatform();
const ground = openGround({ logLevel: 'silent' }, { platform });
const mail = mailConfig(Number(smtpPort));
const database = openDatabase({ database: { kind: 'url', url, endpoint: null } }, ground);
const mailServer = openMailServer({ mail }, ground);
if (database === null || mailServer === null) throw new Error('neither is optional here');
const sender = openSender(mail, { ...ground, database, mailServer, seal: sealBy(openKeyRing({ keys })) });

async function job(): Promise<number> {
  const { sent } = await sender.all(new AbortController().signal);
  return sent;
}

/** As nodemailer's documentation has it: a mail is handed over whenever the pool is idle. */
async function loop(count: number): Promise<number> {
  const template = compileTemplates(platform.readFolder(TEMPLATES_FOLDER)).find('invitation', null);
  const { host, port: at } = mail.smtp;
  const pool = createTransport({
    ...{ pool: true, host, port: at, ignoreTLS: true, maxConnections: CONNECTIONS, maxMessages: Infinity },
  });
  let begun = 0;
  let sent = 0;
  await new Promise<void>((resolve, reject) => {
    const more = (): void => {
      while (pool.isIdle() && begun < count) {
        const values = valuesOf(begun);
        const message = {
          ...{ ...fill(template, values), from: FROM, replyTo: REPLY_TO, to: values.to },
          messageId: messageIdOf(`loop-${begun}`, mail.from),
          headers: { 'Auto-Submitted': 'auto-generated' },
          list: { unsubscribe: { url: values.unsubscribe_link, comment: '' } },
        };
        begun += 1;
        pool.sendMail(message, (error) => {
          if (error !== null) reject(error);
          sent += 1;
          if (sent === count) resolve();
        });
      }
    };
    pool.on('idle', more);
    more();
  });
  pool.close();
  return sent;
}

process.on('message', (question: string) => {
  const began = performance.now();
  const [what, count] = question.split(' ');
  void (what === 'job' ? job() : loop(Number(count))).then((sent) =>
    process.send?.({ sent, ms: performance.now() - began }),
  );
});
createServer().listen(Number(port), '127.0.0.1');

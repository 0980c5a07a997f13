import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { createServer } from 'node:http';
import { Hono } from 'hono';
import { SMTPServer } from 'smtp-server';
import { listen, LOOPBACK, stop } from '../listen.ts';
import { createInbox, type Inbox } from './inbox.ts';
import { listPage, mailPage, notFoundPage } from './pages.ts';

export interface SmtpSink {
  /** For MAIL_URL. */
  readonly mailUrl: string;
  /** The inbox page. */
  readonly url: string;
  readonly inbox: Inbox;
  close(): Promise<void>;
}

const MOST_BYTES = 1_048_576;

/** A mail server that keeps every mail and sends none on, and a page that shows them. */
export async function startSmtpSink(): Promise<SmtpSink> {
  const inbox = createInbox();
  const smtp = new SMTPServer({
    logger: false,
    disabledCommands: ['STARTTLS', 'AUTH'],
    disableReverseLookup: true,
    size: MOST_BYTES,
    closeTimeout: 100,
    onData(stream, { envelope: { mailFrom, rcptTo } }, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const mail = {
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          raw: Buffer.concat(chunks).toString(),
        };
        inbox.add(mail).then(
          () => {
            done();
          },
          (error: unknown) => {
            done(error instanceof Error ? error : new Error('not kept'));
          },
        );
      });
    },
  });
  // A client that goes away ends its own session only.
  smtp.on('error', () => undefined);
  smtp.listen(0, LOOPBACK);
  await once(smtp.server, 'listening');
  const { port } = smtp.server.address() as AddressInfo;
  const pages = pagesOf(inbox);
  const answer = getRequestListener((request) => pages.fetch(request), { overrideGlobalObjects: false });
  const server = createServer((request, response) => void answer(request, response));
  const url = `http://${LOOPBACK}:${await listen(server)}`;
  return {
    mailUrl: `smtp://${LOOPBACK}:${port}?tls=off`,
    url,
    inbox,
    async close() {
      const closed = new Promise<void>((resolve) => {
        smtp.close(() => {
          resolve();
        });
      });
      await Promise.all([closed, stop(server)]);
    },
  };
}

/** Mails are from outside: a page shows them as text, and their HTML in a frame that runs and fetches nothing. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'";
const PAGE = {
  'content-security-policy': `${POLICY}; frame-src 'self'; base-uri 'none'; form-action 'none'`,
};
const FRAMED = {
  'content-security-policy': `${POLICY}; sandbox allow-popups allow-popups-to-escape-sandbox`,
  'referrer-policy': 'no-referrer',
};

function pagesOf(inbox: Inbox): Hono {
  const app = new Hono();
  app.get('/', (context) => context.html(listPage(inbox.list()), 200, PAGE));
  app.get('/mails.json', (context) => context.json(inbox.list(context.req.query('to'))));
  app.get('/mails/:id', (context) => {
    const mail = inbox.get(context.req.param('id'));
    return mail === undefined
      ? context.html(notFoundPage(), 404, PAGE)
      : context.html(mailPage(mail), 200, PAGE);
  });
  app.get('/mails/:id/html', (context) => {
    const mail = inbox.get(context.req.param('id'));
    if (mail === undefined) return context.notFound();
    // Links of a mail open beside the inbox, as those of a mail program do.
    return context.html(`<base target="_blank">${mail.html}`, 200, FRAMED);
  });
  app.get('/mails/:id/raw', (context) => {
    const mail = inbox.get(context.req.param('id'));
    return mail === undefined ? context.notFound() : context.text(mail.raw, 200, PAGE);
  });
  return app;
}

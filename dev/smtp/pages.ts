import { html, raw } from 'hono/html';
import type { InboxMail } from './inbox.ts';

const STYLE = `
  :root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #57606a; --line: #6e7781; --mark: #0b57d0; }
  @media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9da7b3; --line: #8b949e; --mark: #8ab4f8; } }
  body { background: var(--paper); color: var(--ink); font: 1.0625rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 48rem; padding: 2rem 1rem; }
  a { color: var(--mark); }
  :focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
  ol { list-style: none; padding: 0; }
  li { border-bottom: 1px solid var(--line); overflow-wrap: anywhere; padding: 0.75rem 0; }
  small, dt { color: var(--soft); }
  dl { display: grid; gap: 0.25rem 1rem; grid-template-columns: max-content 1fr; }
  dd { margin: 0; overflow-wrap: anywhere; }
  pre { border: 1px solid var(--line); border-radius: 0.5rem; font: 0.875rem/1.4 ui-monospace, monospace; overflow-x: auto; padding: 0.75rem; white-space: pre-wrap; }
  iframe { border: 1px solid var(--line); border-radius: 0.5rem; height: 36rem; width: 100%; }
`;

function page(title: string, content: unknown, refresh = false) {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        ${refresh ? raw('<meta http-equiv="refresh" content="5" />') : ''}
        <title>${title} – Sallyport demo</title>
        <style>
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          ${content}
        </main>
      </body>
    </html>`;
}

export function listPage(mails: readonly InboxMail[]) {
  if (mails.length === 0)
    return page('Inbox', html`<p>No mail yet. This page looks again every five seconds.</p>`, true);
  return page(
    'Inbox',
    html`<p>Mails that the demo sent. None has left this machine.</p>
      <ol>
        ${mails.map(
          ({ id, to, subject, at }) =>
            html`<li>
              <a href="/mails/${id}">${subject === '' ? '(no subject)' : subject}</a><br />
              <small>to ${to.join(', ')}, ${timeOf(at)}</small>
            </li>`,
        )}
      </ol>`,
    true,
  );
}

export function mailPage({ id, subject, from, to, at, text, html: markup, headers }: InboxMail) {
  const formatted =
    markup === ''
      ? ''
      : html`<h2>HTML</h2>
          <iframe
            title="The mail as a mail program shows it"
            src="/mails/${id}/html"
            sandbox="allow-popups allow-popups-to-escape-sandbox"
          ></iframe>`;
  return page(
    subject === '' ? '(no subject)' : subject,
    html`<p><a href="/">All mails</a></p>
      <dl>
        <dt>From</dt>
        <dd>${from}</dd>
        <dt>To</dt>
        <dd>${to.join(', ')}</dd>
        <dt>Came</dt>
        <dd>${timeOf(at)}</dd>
      </dl>
      ${formatted}
      <h2>Text</h2>
      <pre tabindex="0" aria-label="Text of the mail">${text}</pre>
      <h2>Header fields</h2>
      <dl>
        ${headers.map(
          ({ key, value }) =>
            html`<dt>${key}</dt>
              <dd>${value}</dd>`,
        )}
      </dl>
      <p><a href="/mails/${id}/raw">As it came</a></p>`,
  );
}

export function notFoundPage() {
  return page('No such mail', html`<p><a href="/">All mails</a></p>`);
}

function timeOf(at: Date): string {
  return `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

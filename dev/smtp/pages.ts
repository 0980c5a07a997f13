import { html } from 'hono/html';
import { page } from '../page.ts';
import type { InboxMail } from './inbox.ts';

const STYLE = `
  body { max-width: 48rem; }
  ol { list-style: none; padding: 0; }
  li { border-bottom: 1px solid var(--line); overflow-wrap: anywhere; padding: 0.75rem 0; }
  small, dt { color: var(--soft); }
  dl { display: grid; gap: 0.25rem 1rem; grid-template-columns: max-content 1fr; }
  dd { margin: 0; overflow-wrap: anywhere; }
  pre { border: 1px solid var(--line); border-radius: 0.5rem; font: 0.875rem/1.4 ui-monospace, monospace; overflow-x: auto; padding: 0.75rem; white-space: pre-wrap; }
  iframe { border: 1px solid var(--line); border-radius: 0.5rem; height: 36rem; width: 100%; }
`;
const LOOK = { style: STYLE };
const REFRESHED = { ...LOOK, refreshSeconds: 5 };

export function listPage(mails: readonly InboxMail[]) {
  if (mails.length === 0)
    return page('Inbox', html`<p>No mail yet. This page looks again every five seconds.</p>`, REFRESHED);
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
    REFRESHED,
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
    LOOK,
  );
}

export function notFoundPage() {
  return page('No such mail', html`<p><a href="/">All mails</a></p>`, LOOK);
}

function timeOf(at: Date): string {
  return `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

import { html } from 'hono/html';
import { page } from '../page.ts';
import type { InboxMail } from './inbox.ts';

const STYLE = `
  body { --hair: color-mix(in srgb, var(--line) 40%, transparent); box-sizing: border-box; max-width: 50rem; }
  h1 { font-size: 1.5rem; line-height: 1.25; margin: 0.25rem 0 1rem; overflow-wrap: anywhere; }
  h2 { font-size: 1rem; margin: 2rem 0 0.5rem; }
  nav { font-size: 0.9375rem; margin: -0.5rem 0 1rem; }
  ol { border-top: 1px solid var(--hair); list-style: none; margin: 1.5rem 0 0; padding: 0; }
  li { border-bottom: 1px solid var(--hair); overflow-wrap: anywhere; padding: 0.75rem 0; }
  .about { color: var(--soft); column-gap: 1rem; display: flex; flex-wrap: wrap; font-size: 0.875rem; justify-content: space-between; }
  time { font-variant-numeric: tabular-nums; white-space: nowrap; }
  dl { display: grid; font-size: 0.9375rem; gap: 0.125rem 1rem; grid-template-columns: minmax(4rem, max-content) 1fr; margin: 0; }
  dt { color: var(--soft); }
  dd { margin: 0; overflow-wrap: anywhere; }
  pre, iframe { border: 1px solid var(--hair); border-radius: 0.5rem; box-sizing: border-box; width: 100%; }
  pre { font: 0.875rem/1.5 ui-monospace, monospace; margin: 0; overflow-wrap: anywhere; padding: 0.75rem 1rem; white-space: pre-wrap; }
  iframe { display: block; height: 52rem; resize: vertical; }
  @media (max-width: 36rem) {
    body { padding-top: 1rem; }
    .fields { grid-template-columns: 1fr; }
    .fields dd { margin-bottom: 0.5rem; }
  }
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
              <a href="/mails/${id}">${titleOf(subject)}</a>
              <div class="about"><span>to ${to.join(', ')}</span> ${timeOf(at)}</div>
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
    titleOf(subject),
    html`<nav><a href="/">All mails</a></nav>
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
      <dl class="fields">
        ${headers.map(
          ({ originalKey, value }) =>
            html`<dt>${originalKey}</dt>
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

function titleOf(subject: string): string {
  return subject === '' ? '(no subject)' : subject;
}

function timeOf(at: Date) {
  const iso = at.toISOString();
  return html`<time datetime="${iso}">${iso.slice(0, 19).replace('T', ' ')} UTC</time>`;
}

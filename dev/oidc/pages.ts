import { html } from 'hono/html';
import { page as framed } from '../page.ts';
import { DEMO_USERS, type DemoUser } from './users.ts';

const STYLE = `
  ul { list-style: none; padding: 0; }
  li { margin: 0.75rem 0; }
  button { background: transparent; border: 1px solid var(--line); border-radius: 0.5rem; color: inherit; cursor: pointer; font: inherit; padding: 0.75rem 1rem; text-align: start; width: 100%; }
  button small, p small { color: var(--soft); }
  pre, textarea { border: 1px solid var(--line); border-radius: 0.5rem; font: 0.875rem/1.4 ui-monospace, monospace; padding: 0.75rem; }
  pre { overflow-x: auto; }
  textarea { background: transparent; box-sizing: border-box; color: inherit; height: 12rem; width: 100%; }
`;

function page(title: string, content: unknown) {
  return framed(title, content, { style: STYLE });
}

export function homePage(issuer: string) {
  return page(
    'Demo identity provider',
    html`<p>These people exist here. None has a password: this is a demo on your own machine.</p>
      <ul>
        ${DEMO_USERS.map((user) => html`<li><strong>${user.name}</strong> ${user.may}.</li>`)}
      </ul>
      <p><a href="/sign-in">Sign in and get a token</a></p>
      <h2>From a terminal</h2>
      <pre tabindex="0" aria-label="Command">
TOKEN=$(curl -s -X POST '${issuer}/demo/token?user=alice')</pre>`,
  );
}

export function signInPage(uid: string) {
  return page(
    'Who are you?',
    html`<p>Choose a person. No password: this is a demo on your own machine.</p>
      <form method="post" action="/interaction/${uid}">
        <ul>
          ${DEMO_USERS.map((user) => html`<li>${userButton(user)}</li>`)}
        </ul>
      </form>`,
  );
}

/** For people of the directory. `fault`: why the attempt before failed. */
export function passwordPage(uid: string, name: string, fault?: string) {
  return page(
    'Sign in',
    html`${fault === undefined ? '' : html`<p role="alert">${fault}</p>`}
      <form method="post" action="/interaction/${uid}">
        <p>
          <label>Name <input name="name" value="${name}" autocomplete="username" required /></label>
        </p>
        <p>
          <label
            >Password <input name="password" type="password" autocomplete="current-password" required
          /></label>
        </p>
        <button>Sign in</button>
      </form>`,
  );
}

function userButton(user: DemoUser) {
  return html`<button name="user" value="${user.id}">
    Continue as ${user.name}<br /><small>${user.may}</small>
  </button>`;
}

export function tokenPage(token: string) {
  return page(
    'Your access token',
    html`<p>
        <label for="token">Select all, copy, and send it as <code>Authorization: Bearer …</code></label>
      </p>
      <textarea id="token" readonly spellcheck="false">${token}</textarea>
      <p><small>It is good for one hour.</small></p>
      <p><a href="/sign-in">Sign in as someone else</a></p>`,
  );
}

export function problemPage(message: string) {
  return page(
    'That did not work',
    html`<p>${message}</p>
      <p><a href="/">Start again</a></p>`,
  );
}

import { html } from 'hono/html';
import { page as framed } from '../page.ts';

function page(title: string, content: unknown) {
  return framed(
    title,
    html`${content}
      <p><small>This is a stand-in for Kanidm, for tests and the demo on your own machine.</small></p>`,
    { site: 'stand-in for Kanidm' },
  );
}

export function namePage(hint: string, fault?: string) {
  return page(
    'Login',
    html`${fault === undefined ? '' : html`<p role="alert">${fault}</p>`}
      <form method="post" action="/ui/login/begin">
        <label>Name <input name="username" value="${hint}" autocomplete="username" required /></label>
        <button>Begin</button>
      </form>`,
  );
}

export function passwordPage(username: string, fault?: string) {
  return page(
    'Login',
    html`${fault === undefined ? '' : html`<p role="alert">${fault}</p>`}
      <form method="post" action="/ui/login/pw">
        <input type="hidden" name="username" value="${username}" />
        <label
          >Password of ${username}
          <input name="password" type="password" autocomplete="current-password" required
        /></label>
        <button>Sign in</button>
      </form>`,
  );
}

export function consentPage(client: string, scopes: readonly string[], token: string) {
  return page(
    `Consent to Proceed to ${client}`,
    html`<p>It asks for: ${scopes.join(', ')}.</p>
      <form method="post" action="/ui/oauth2/consent">
        <input type="hidden" name="consent_token" value="${token}" />
        <button>Proceed</button>
      </form>`,
  );
}

export function resetPage(name: string) {
  return page(
    'Updating Credentials',
    html`<p>For ${name}. At least 15 characters.</p>
      <form method="post" action="/ui/reset/add_password">
        <input type="hidden" name="save" value="1" />
        <label
          >New password <input name="new_password" type="password" autocomplete="new-password" required
        /></label>
        <label
          >Again <input name="new_password_check" type="password" autocomplete="new-password" required
        /></label>
        <button>Save</button>
      </form>`,
  );
}

export function wordsPage(title: string, words: string) {
  return page(title, html`<p>${words}</p>`);
}

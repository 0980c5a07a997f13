import { html, NOTHING, pageAnswer, type Html } from '../../shared/edge/page.ts';
import type { BrandConfig } from '../../shared/configuration/mail.ts';
import { deadlineText } from '../../shared/invitations/mailing.ts';
import type { Link } from '../../shared/invitations/link.ts';

/** What pages name. */
export interface PageDeps {
  readonly brand: BrandConfig;
  /** The provider's name; null: none is configured. */
  readonly provider: string | null;
  /** Origins that the form of an invitation may lead to. */
  readonly formTargets: readonly string[];
}

export const RENEW = 'renew';

/** A link that is not spent. */
export function landingPage({ fullName, email, deadline }: Link, base: string, deps: PageDeps): Response {
  const { brand, formTargets } = deps;
  const provider = deps.provider ?? 'the identity provider';
  const until =
    deadline === null
      ? NOTHING
      : html`<p>Sign-in by password is available until <strong>${deadlineText(deadline, null)}</strong>.</p>`;
  const main = html`<p>Hi ${fullName ?? email},</p>
    <p>
      ${brand.product} has a more secure way to sign in: through ${provider}, with a passkey or a one-time
      code. This is what happens next:
    </p>
    <ol>
      <li>
        ${provider} asks you to set up your account, once. Where your password went along, you sign in with
        it.
      </li>
      <li>If you are not led back here, open the link of the mail again and choose “Continue to sign in”.</li>
      <li>Done. From then on you sign in to ${brand.product} that way.</li>
    </ol>
    ${until}
    <form method="post"><button>Continue to ${provider}</button></form>
    ${footer(brand, html`<p><a href="${base}/unsubscribe">No more reminders</a></p>`)}`;
  return pageAnswer(`Set up your new sign-in at ${brand.product}`, main, { formTargets });
}

interface Continuing {
  /** Null: sign-in by the provider is not configured. */
  readonly startUrl: string | null;
  /** What is typed at the provider's sign-in page. */
  readonly name: string;
  /** This browser may open the provider's page once more. */
  readonly again: boolean;
  readonly status?: number;
}

/** A link that is spent, until its person has signed in by the provider. */
export function continuePage({ fullName, email }: Link, continuing: Continuing, deps: PageDeps): Response {
  const { startUrl, name, again, status = 200 } = continuing;
  const { brand, formTargets } = deps;
  const provider = deps.provider ?? 'the identity provider';
  const start =
    startUrl === null
      ? html`<p>Sign in to ${brand.product} through ${provider}.</p>`
      : html`<p><a class="button" href="${startUrl}">Continue to sign in</a></p>`;
  const open = again
    ? html`<form method="post">
        <p><button class="quiet">Open the page of ${provider} once more</button></p>
      </form>`
    : NOTHING;
  const main = html`<p>Hi ${fullName ?? email},</p>
    <p>
      This link has led to ${provider} already. Once your account is set up there, one step is left: sign in
      with it.
    </p>
    ${start}
    <p>Your name at ${provider}: <strong>${name}</strong></p>
    ${open}
    <p>The page did not open, or it ran out before you were done?</p>
    ${renewForm('Send me a new link')} ${footer(brand)}`;
  return pageAnswer('Continue to sign in', main, { status, formTargets });
}

/** The same for every reason, so that it reveals none. */
export function deadPage({ brand }: PageDeps): Response {
  const main = html`<p>
      It may have been used or replaced, or its time is over. If it was sent to you, we send a new one to the
      address that we know of you.
    </p>
    ${renewForm('Send me a new one')}${footer(brand)}`;
  return pageAnswer('This link does not count', main, { status: 404 });
}

/** The same whether a mail is sent or not, so that it discloses no state. */
export function renewedPage({ brand }: PageDeps): Response {
  const main = html`<p>
      If the link was sent to you, a new one is on its way to the address that we know of you. It can take a
      few minutes; no more than a few are sent a day.
    </p>
    ${footer(brand)}`;
  return pageAnswer('A new link is on its way', main, { status: 202 });
}

/** The token stands in the address alone, so that the page is the same for every one. */
function renewForm(label: string): Html {
  return html`<form method="post">
    <input type="hidden" name="${RENEW}" value="1" /><button class="quiet">${label}</button>
  </form>`;
}

const SAID =
  'Mails about the end of your password, a few days before it, still come: they are about your access.';

export function unsubscribePage({ brand }: PageDeps): Response {
  const main = html`<p>No more reminders of the new sign-in at ${brand.product}? ${SAID}</p>
    <form method="post"><button>No more reminders</button></form>
    ${footer(brand)}`;
  return pageAnswer('No more reminders', main);
}

export function unsubscribedPage({ brand }: PageDeps): Response {
  const main = html`<p>You get no more reminders of the new sign-in at ${brand.product}. ${SAID}</p>
    ${footer(brand)}`;
  return pageAnswer('No more reminders', main);
}

const SCORES: readonly (readonly [score: string, words: string])[] = [
  ['1', '1 – bad'],
  ['2', '2'],
  ['3', '3'],
  ['4', '4'],
  ['5', '5 – very good'],
];

/** `fault`: why an answer was not taken. */
export function surveyPage({ brand }: PageDeps, publicUrl: string, fault: string | null = null): Response {
  const scores = SCORES.map(
    ([score, words]) =>
      html`<label><input type="radio" name="score" value="${score}" required /> ${words}</label>`,
  );
  const main = html`<p>
      You now sign in to ${brand.product} the new way. <a href="${publicUrl}">Open ${brand.product}</a>
    </p>
    ${fault === null ? NOTHING : html`<p role="alert"><strong>${fault}</strong></p>`}
    <form method="post">
      <fieldset>
        <legend>How was it to move? (optional)</legend>
        ${scores}
      </fieldset>
      <label for="t">What could be better?</label
      ><textarea id="t" name="text" rows="4" maxlength="2000"></textarea> <button>Send</button>
    </form>
    ${footer(brand)}`;
  return pageAnswer('You are all set', main, { status: fault === null ? 200 : 400 });
}

export function surveyedPage(
  { brand }: PageDeps,
  publicUrl: string,
  { first }: { readonly first: boolean },
): Response {
  const words = first ? 'Your answer is with us.' : 'You have answered already; an answer counts once.';
  const main = html`<p>${words} <a href="${publicUrl}">Open ${brand.product}</a></p>
    ${footer(brand)}`;
  return pageAnswer('Thank you', main, { status: first ? 200 : 409 });
}

function footer({ product, supportEmail, guideUrl }: BrandConfig, more: Html = NOTHING): Html {
  const guide =
    guideUrl === null ? NOTHING : html`<p><a href="${guideUrl}">How to move, step by step</a></p>`;
  const support =
    supportEmail === null
      ? NOTHING
      : html`<p>Questions? <a href="mailto:${supportEmail}">${supportEmail}</a></p>`;
  return html`<footer>
    ${guide}${support}${more}
    <p>${product}</p>
  </footer>`;
}

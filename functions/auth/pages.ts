import { createHash } from 'node:crypto';
import type * as z from 'zod';
import type { OwnRoute, RouteContext } from '../../shared/edge/frame.ts';
import { shownOf, type Shown } from '../../shared/edge/problem.ts';
import { Refusal } from '../../shared/errors.ts';
import { escapeHtml } from '../../shared/mail/fill.ts';
import { jsonBody, shaped } from './http.ts';

const STYLE =
  'body{font:1rem/1.5 system-ui,sans-serif;max-width:30rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}' +
  'label,input,button{display:block;font:inherit;margin:.5rem 0}input{width:100%;box-sizing:border-box;padding:.4rem}button{padding:.4rem 1rem}';
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** Nothing is loaded from elsewhere, and the page's address, which holds a token, is in no Referer. */
const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
};

/** `head` and `rest` are HTML, `title` and `words` text. */
function html(title: string, words: string, { head = '', rest = '' }): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">${head}<title>${escapeHtml(title)}</title>
<main><h1>${escapeHtml(title)}</h1><p>${escapeHtml(words)}</p>${rest}</main>
`;
}

/** A refusal for a browser. Plain, so that it needs no asset and no script. `again`: where to begin anew; null: nowhere. */
export function refusalPage(
  { title, detail, code }: Shown,
  requestId: string,
  again: string | null = null,
): string {
  const link = again === null ? '' : `<p><a href="${escapeHtml(again)}">Begin again</a></p>`;
  const ids = `<p><small>${escapeHtml(code)}, request ${escapeHtml(requestId)}</small></p>`;
  return html(title, detail, { rest: link + ids });
}

const HEAD = `<meta name="robots" content="noindex"><style>${STYLE}</style>`;

/** `form`: HTML. */
function page(title: string, words: string, form = '', status = 200): Response {
  return new Response(html(title, words, { head: HEAD, rest: form }), { status, headers: HEADERS });
}

interface TokenPage {
  /** The path that its form posts to. */
  readonly action: string;
  readonly title: string;
  readonly words: string;
  readonly button: string;
  /** Label of the field new_password; absent: there is none. */
  readonly password?: string;
}

/** The page behind a mailed link. It spends nothing, so that scanners may open it. */
export function tokenPage(shown: TokenPage): OwnRoute['answer'] {
  return ({ url }) => {
    const token = escapeHtml(new URL(url).searchParams.get('token')?.slice(0, 256) ?? '');
    const field =
      shown.password === undefined
        ? ''
        : `<label for="p">${escapeHtml(shown.password)}</label>
<input id="p" name="new_password" type="password" autocomplete="new-password" required minlength="8">`;
    const form = `<form method="post" action="${shown.action}"><input type="hidden" name="token" value="${token}">${field}
<button>${escapeHtml(shown.button)}</button></form>`;
    return page(shown.title, shown.words, form);
  };
}

const FORM = /^application\/x-www-form-urlencoded\s*(?:;|$)/i;

/** A form is answered by a page, JSON by JSON. `work` throws Refusal. */
export async function byFormOrJson<T>(
  request: Request,
  context: RouteContext,
  shape: z.ZodType<T>,
  done: { readonly title: string; readonly words: string },
  work: (given: T) => Promise<Response>,
): Promise<Response> {
  if (!FORM.test(request.headers.get('content-type') ?? '')) return work(await jsonBody(context, shape));
  try {
    const fields = new URLSearchParams(new TextDecoder().decode(await context.body()));
    await work(shaped(Object.fromEntries(fields), shape));
    return page(done.title, done.words);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { title, detail } = shownOf(error);
    return page(title, detail, '', error.status);
  }
}

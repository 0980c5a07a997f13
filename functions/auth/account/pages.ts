import { createHash } from 'node:crypto';
import type { OwnRoute, RouteContext } from '../../../shared/edge/frame.ts';
import { CODES } from '../../../shared/codes.ts';
import { Refusal } from '../../../shared/errors.ts';
import { shaped } from '../http.ts';
import type * as z from 'zod';

const STYLE =
  'body{font:1rem/1.5 system-ui,sans-serif;max-width:30rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}' +
  'label,input,button{display:block;font:inherit;margin:.5rem 0}input{width:100%;box-sizing:border-box;padding:.4rem}button{padding:.4rem 1rem}';
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** Nothing of others is loaded, and no address of this page, which holds a token, goes anywhere. */
const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
};

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
}

/** `form`: HTML of our own; everything else is text. */
function page(title: string, words: string, form = '', status = 200): Response {
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>${escaped(title)}</title><style>${STYLE}</style>
<h1>${escaped(title)}</h1><p>${escaped(words)}</p>${form}`;
  return new Response(html, { status, headers: HEADERS });
}

export interface TokenPage {
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
    const token = escaped(new URL(url).searchParams.get('token')?.slice(0, 256) ?? '');
    const field =
      shown.password === undefined
        ? ''
        : `<label for="p">${escaped(shown.password)}</label>
<input id="p" name="new_password" type="password" autocomplete="new-password" required minlength="8">`;
    const form = `<form method="post" action="${shown.action}"><input type="hidden" name="token" value="${token}">${field}
<button>${escaped(shown.button)}</button></form>`;
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
  read: (context: RouteContext, shape: z.ZodType<T>) => Promise<T>,
): Promise<Response> {
  if (!FORM.test(request.headers.get('content-type') ?? '')) return work(await read(context, shape));
  try {
    const fields = new URLSearchParams(new TextDecoder().decode(await context.body()));
    await work(shaped(Object.fromEntries(fields), shape));
    return page(done.title, done.words);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { title, detail } = CODES[error.code];
    return page(title, error.detail ?? detail, '', error.status);
  }
}

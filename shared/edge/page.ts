import { createHash } from 'node:crypto';
import { escapeHtml } from '../mail/fill.ts';
import type { Shown } from './problem.ts';

/** HTML: made by `html` alone, so that every text in it is escaped. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export const NOTHING = new Html('');

/** A template whose values are escaped, but for those that are Html. */
export function html(
  parts: TemplateStringsArray,
  ...values: readonly (string | Html | readonly Html[])[]
): Html {
  return new Html(parts.reduce((text, part, at) => `${text}${shown(values[at - 1])}${part}`));
}

function shown(value: string | Html | readonly Html[] | undefined): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return escapeHtml(value);
  return value instanceof Html ? value.text : value.map(({ text }) => text).join('');
}

/** One accent colour; every text has a contrast of 4.5 to 1 and more in both themes (WCAG 2.2 §1.4.3). */
const STYLE = [
  ':root{color-scheme:light dark;--accent:#0b57b7;--on:#fff;--quiet:#55595e;--line:#8a9097}',
  '@media (prefers-color-scheme:dark){:root{--accent:#8fbcff;--on:#0d1420;--quiet:#adb3ba;--line:#7d838a}}',
  'body{font:1rem/1.55 system-ui,sans-serif;margin:0;background:Canvas;color:CanvasText}',
  'main{max-width:34rem;margin:0 auto;padding:2.5rem 1.25rem;overflow-wrap:anywhere}',
  'h1{font-size:1.5rem;line-height:1.25;margin:0 0 1rem}li{margin:.4rem 0}a{color:var(--accent)}',
  'button,.button{display:inline-block;font:inherit;font-weight:600;padding:.65rem 1.2rem;border:0;border-radius:.4rem;cursor:pointer;text-decoration:none;background:var(--accent);color:var(--on)}',
  'button.quiet{background:none;color:var(--accent);padding:0;font-weight:400;text-decoration:underline}',
  ':focus-visible{outline:3px solid var(--accent);outline-offset:3px}',
  'label,textarea,input:not([type=radio]){display:block;font:inherit;margin:.5rem 0}',
  'textarea,input:not([type=radio]){width:100%;box-sizing:border-box;padding:.5rem;border:1px solid var(--line);border-radius:.3rem}',
  'fieldset{border:1px solid var(--line);border-radius:.4rem;margin:1rem 0}fieldset label{display:inline-block;padding:.5rem .9rem .5rem 0}',
  'footer{margin-top:2.5rem;font-size:.9rem;color:var(--quiet)}',
].join('');
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');
/** Not by `html`, whose templates are formatted: the hash is that of every byte between the tags. */
const STYLED = new Html(`<style>${STYLE}</style>`);

interface PageOptions {
  readonly status?: number;
  /** Origins beside our own that a form may lead to, redirects included (CSP form-action). */
  readonly formTargets?: readonly string[];
  /** Further fields of the answer. */
  readonly fields?: Readonly<Record<string, string>>;
}

/** Nothing is loaded from elsewhere, and the page's address, which may hold a token, is in no Referer. */
export function pageAnswer(
  title: string,
  main: Html,
  { status = 200, formTargets = [], fields = {} }: PageOptions = {},
): Response {
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${STYLE_HASH}'`,
    `form-action ${["'self'", ...formTargets].join(' ')}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ];
  const headers = {
    ...fields,
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-robots-tag': 'noindex, nofollow',
    'content-security-policy': policy.join('; '),
  };
  return new Response(document(title, main, STYLED), { status, headers });
}

/** A refusal for a browser. Plain, so that it needs no asset and no style. `again`: where to begin anew; null: nowhere. */
export function refusalPage(
  { title, detail, code }: Shown,
  requestId: string,
  again: string | null = null,
): string {
  const link = again === null ? NOTHING : html`<p><a href="${again}">Begin again</a></p>`;
  const main = html`<p>${detail}</p>
    ${link}
    <p><small>${code}, request ${requestId}</small></p>`;
  return document(title, main, NOTHING);
}

function document(title: string, main: Html, head: Html): string {
  return html`<!doctype html>
    <html lang="en">
      <meta charset="utf-8" /><meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" /><meta name="robots" content="noindex" />${head}<title>
        ${title}
      </title>
      <main>
        <h1>${title}</h1>
        ${main}
      </main>
    </html> `.text;
}

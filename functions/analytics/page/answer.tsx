import type { Shown } from '../../../shared/edge/problem.ts';
import type { Frame } from './layout.tsx';
import { RefusedPage } from './sign-in.tsx';

/** All is ours, and nothing is inline: neither scripts nor styles. */
const FIELDS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-robots-tag': 'noindex, nofollow',
  'referrer-policy': 'same-origin',
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
};

/** An element; none of these waits for anything. */
interface Rendered {
  toString(): string | Promise<string>;
}

export function htmlAnswer(document: Rendered, status = 200): Response {
  const text = document.toString();
  if (typeof text !== 'string') throw new TypeError('a page waits for nothing');
  return new Response(`<!doctype html>${text}`, { status, headers: FIELDS });
}

export const SIGN_IN = '/analytics/sign-in';

const OWN = /^\/analytics(?:[/?][\w/.?=&%+~-]*)?$/;

/** A page of this function; the overview for whatever else is given. */
export function localPath(given: string | null): string {
  return given !== null && given.length <= 300 && OWN.test(given) ? given : '/analytics';
}

/** Leads to sign-in who is not signed in, and says to others what is the matter. */
export function refusalAnswer(shown: Shown, requestId: string, { url }: Request, product: string): Response {
  if (shown.status !== 401) {
    const frame: Frame = { product, of: null, query: '', seesAll: false };
    return htmlAnswer(<RefusedPage frame={frame} shown={shown} requestId={requestId} />, shown.status);
  }
  const { pathname, search } = new URL(url);
  const query = new URLSearchParams({ return_to: localPath(`${pathname}${search}`) });
  const headers = { location: `${SIGN_IN}?${query.toString()}`, 'cache-control': 'no-store' };
  return new Response(null, { status: 303, headers });
}

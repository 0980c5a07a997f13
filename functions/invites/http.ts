import type { RouteContext } from '../../shared/edge/frame.ts';
import { Refusal } from '../../shared/errors.ts';
import { invitationHash } from '../../shared/invitations/token.ts';

const PREFIX = '/invites/';
/** 256 bits as base64url. */
const TOKEN = /^[\w-]{43}$/;

/** What a path below /invites/ names. */
export interface Named {
  /** Null for what cannot be a token. */
  readonly hash: Uint8Array | null;
  /** The path of the invitation itself. */
  readonly base: string;
  /** What follows the token; empty for the invitation itself. */
  readonly rest: string;
}

export function namedBy({ url }: Pick<Request, 'url'>): Named {
  const { pathname } = new URL(url);
  const [token = '', ...rest] = pathname.slice(PREFIX.length).split('/');
  const hash = TOKEN.test(token) ? invitationHash(token) : null;
  return { hash, base: `${PREFIX}${token}`, rest: rest.join('/') };
}

/**
 * For forms of our own pages. These send no referrer, so that browsers write `Origin: null`, and Sec-Fetch-Site alone says where a form
 * comes from. Programs send neither. Throws Refusal `cross_site`.
 */
export function requireOwnPage({ headers }: Pick<Request, 'headers'>, publicUrl: string): void {
  const [site, origin] = [headers.get('sec-fetch-site'), headers.get('origin')];
  const own = site === null ? origin === null || origin === publicUrl : site === 'same-origin';
  if (!own)
    throw new Refusal('cross_site', 'a form of another site', {
      detail: 'Open the link of the mail, and go on from there.',
    });
}

/** Fields of a form. */
export async function formOf({ body }: Pick<RouteContext, 'body'>): Promise<URLSearchParams> {
  return new URLSearchParams(new TextDecoder().decode(await body()));
}

const AHEAD = /\b(?:prefetch|prerender|preview)\b/i;
/** The standard field, and those of browsers from before it. */
const PURPOSES = ['sec-purpose', 'purpose', 'x-purpose', 'x-moz'];

/** False for HEAD, and for what a browser fetches ahead of a visit. */
export function isSeen({ method, headers }: Pick<Request, 'method' | 'headers'>): boolean {
  return method === 'GET' && !PURPOSES.some((name) => AHEAD.test(headers.get(name) ?? ''));
}

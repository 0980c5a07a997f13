import type { RouteContext } from '../../shared/edge/frame.ts';
import { pageAnswer, html } from '../../shared/edge/page.ts';
import { readLink, type Link } from '../../shared/invitations/link.ts';
import { startUrl } from '../../shared/people/start-url.ts';
import { accept } from './accept.ts';
import type { InvitesDeps } from './deps.ts';
import { formOf, isSeen, requireOwnPage, type Named } from './http.ts';
import { keep, keptUrl } from './kept.ts';
import { continuePage, deadPage, landingPage, RENEW, renewedPage, type PageDeps } from './pages.ts';
import { renew } from './renew.ts';

export type Answer = (named: Named, request: Request, context: RouteContext) => Promise<Response>;

/** GET and POST /invites/{token}. */
export function invitation(deps: InvitesDeps, pages: PageDeps): Answer {
  return async (named, request, context) => {
    if (request.method !== 'POST') return shown(named, request, deps, pages);
    requireOwnPage(request, deps.sessions.publicUrl);
    const form = await formOf(context);
    if (form.has(RENEW)) {
      await renew(named.hash, context, deps);
      return renewedPage(pages);
    }
    return opened(named, request, context, deps, pages);
  };
}

/** Spends nothing: scanners of mails open links. */
async function shown(named: Named, request: Request, deps: InvitesDeps, pages: PageDeps): Promise<Response> {
  const link = await linkOf(named, isSeen(request), deps);
  if (link === undefined || named.hash === null) return deadPage(pages);
  if (!link.spent) return landingPage(link, named.base, pages);
  const again = (await led(named.hash, request, deps)) !== undefined;
  return continuePage(link, { ...signIn(link, named, deps), again }, pages);
}

async function opened(
  named: Named,
  request: Request,
  context: RouteContext,
  deps: InvitesDeps,
  pages: PageDeps,
): Promise<Response> {
  const link = await linkOf(named, false, deps);
  const { hash } = named;
  if (link === undefined || hash === null) return deadPage(pages);
  const before = link.spent ? await led(hash, request, deps) : undefined;
  if (before !== undefined) return leading(before, pages, deps);
  const start = signIn(link, named, deps);
  const url = link.spent ? undefined : await accept({ link, hash, startUrl: start.startUrl }, context, deps);
  // 409: of many requests with one link a single one has success.
  if (url === undefined) return continuePage(link, { ...start, again: false, status: 409 }, pages);
  const nowMs = deps.clock.now();
  context.setCookies([await keep(hash, { url, nowMs }, await deps.keyRing.current(), deps.sessions)]);
  return leading(url, pages, deps);
}

function linkOf(
  { hash, rest }: Named,
  seen: boolean,
  { database, config }: InvitesDeps,
): Promise<Link | undefined> {
  const issuer = config.migration.directory?.issuer ?? '';
  return hash === null || rest !== ''
    ? Promise.resolve(undefined)
    : readLink(database, hash, { issuer, seen });
}

async function led(hash: Uint8Array, request: Request, deps: InvitesDeps): Promise<string | undefined> {
  const seen = { cookies: request.headers.get('cookie'), nowMs: deps.clock.now() };
  return keptUrl(hash, seen, await deps.keyRing.current(), deps.sessions);
}

function signIn(link: Link, { base }: Named, { config, sessions, directory }: InvitesDeps) {
  const { userId: id, email: mail, tenantId, slug } = link;
  const name = directory?.nameOf({ id, mail, tenant: { id: tenantId, slug } }) ?? mail;
  const start = { tenant: slug, login_hint: name, invited: id, return_to: `${base}/survey` };
  const { provider } = config.migration;
  return { name, startUrl: startUrl(start, { ...sessions, provider, clients: config.clients }) };
}

/**
 * A redirect; by a link instead where the provider's page is on a host of its own, since browsers hold redirects of a form against the
 * page's form-action (CSP Level 3 §6.4.2).
 */
function leading(url: string, { formTargets, provider }: PageDeps, { sessions }: InvitesDeps): Response {
  const { origin } = new URL(url);
  if (origin !== sessions.publicUrl && !formTargets.includes(origin))
    return pageAnswer(
      'One more step',
      html`<p><a class="button" href="${url}">Continue to ${provider ?? 'sign in'}</a></p>`,
    );
  const headers = { location: url, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' };
  return new Response(null, { status: 303, headers });
}

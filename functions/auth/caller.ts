import { Refusal } from '../../shared/errors.ts';
import {
  cookieNames,
  endedCookies,
  isOwnSite,
  readCookie,
  requireOwnSite,
  sessionCookies,
  type SameSite,
} from '../../shared/sessions/cookies.ts';
import type { RouteContext } from '../../shared/edge/frame.ts';
import { refreshSession } from '../../shared/sessions/refresh.ts';
import { readSession, type SessionRow } from '../../shared/sessions/store.ts';
import { verifyAccess } from '../../shared/sessions/token.ts';
import { originOf, refreshDeps, type AuthDeps } from './deps.ts';

/** A caller with a living session of ours. */
export interface Caller {
  readonly session: SessionRow;
  readonly byCookie: boolean;
}

const BEARER = /^bearer +([\w~+/.-]+=*)$/i;

export function siteOf({ sessions, config }: Pick<AuthDeps, 'sessions' | 'config'>): SameSite {
  return { publicUrl: sessions.publicUrl, allowedOrigins: config.allowedOrigins };
}

/**
 * For a route that sets cookies and reads none: pages of other sites may not sign their visitors in. Browsers always say where a POST
 * comes from; other programs have no cookies to lose. Throws Refusal `cross_site`.
 */
export function requireNoOtherSite(request: Request, deps: Pick<AuthDeps, 'sessions' | 'config'>): void {
  const [site, origin] = [request.headers.get('sec-fetch-site'), request.headers.get('origin')];
  if (site === null && origin === null) return;
  if (!isOwnSite({ method: request.method, site, origin }, siteOf(deps)))
    throw new Refusal('cross_site', 'cookies asked for by another site');
}

/**
 * The caller of an own route, by bearer token or by cookie; of a cookie that ran out the session is renewed, and the answer sets new ones
 * whatever it is. The row decides, not a mark: an ended session is refused at once. Throws Refusal `missing_token`, `invalid_token` and `cross_site`, and as `Database`.
 */
export async function requireCaller(
  request: Request,
  context: RouteContext,
  deps: AuthDeps,
): Promise<Caller> {
  const authorization = request.headers.get('authorization');
  if (authorization !== null) {
    const session = await sessionOf(BEARER.exec(authorization)?.[1] ?? '', deps);
    if (typeof session === 'string') throw refused(session);
    return { session, byCookie: false };
  }
  const names = cookieNames(deps.sessions);
  const [access, refresh] = [names.access, names.refresh].map((name) =>
    readCookie(request.headers.get('cookie'), name),
  );
  if (access === undefined && refresh === undefined) {
    throw new Refusal('missing_token', 'neither a bearer token nor a session cookie');
  }
  requireOwnSite(request, siteOf(deps));
  const session = access === undefined ? EXPIRED : await sessionOf(access, deps);
  if (typeof session !== 'string') return { session, byCookie: true };
  if (session !== EXPIRED || refresh === undefined) throw refused(session);
  const renewed = await refreshSession(refresh, originOf(request, context), refreshDeps(deps));
  if (!renewed.ok) {
    context.setCookies(endedCookies(deps.sessions));
    throw refused(renewed.why);
  }
  context.setCookies(sessionCookies(renewed.pair, deps.sessions));
  return { session: renewed.session, byCookie: true };
}

const EXPIRED = 'the token ran out';

/** The living session of an access token, or why there is none. */
async function sessionOf(token: string, deps: AuthDeps): Promise<SessionRow | string> {
  const access = await verifyAccess(token, await deps.keyRing.current(), deps.sessions, deps.clock.now());
  if (access.state === 'invalid') return access.why;
  if (access.state === 'expired') return EXPIRED;
  const session = await readSession(deps.database, access.claims.sessionId);
  if (session?.living !== true || session.userId !== access.claims.subject) return 'the session is over';
  return session.active ? session : 'the account is not active';
}

function refused(why: string): Refusal {
  return new Refusal('invalid_token', why, {
    headers: { 'www-authenticate': 'Bearer realm="sallyport", error="invalid_token"' },
  });
}

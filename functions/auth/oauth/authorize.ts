import type { OwnRoute, RouteContext } from '../../../shared/edge/frame.ts';
import { Refusal } from '../../../shared/errors.ts';
import type { SignIn } from '../../../shared/ports/sign-in.ts';
import { requireCaller } from '../caller.ts';
import type { AuthDeps } from '../deps.ts';
import { seeOther } from '../http.ts';
import { refusalPage } from '../../../shared/edge/page.ts';
import { AUTHORIZE, providerAt, redirectUriOf } from './http.ts';
import { keepPending, type Pending } from './pending.ts';
import { localPath } from './return-to.ts';

/** Sends a browser to the provider: PKCE S256, state and nonce, kept in a cookie that only this bundle can read. */
export function authorizeRoute(deps: AuthDeps): OwnRoute {
  return {
    path: AUTHORIZE,
    methods: ['GET'],
    quota: 'coarse',
    page: (shown, requestId) => refusalPage(shown, requestId),
    async answer(request, context) {
      const { searchParams: given } = new URL(request.url);
      const signIn = chosen(given.get('provider'), deps);
      const link = await linking(request, context, given.get('link'), deps);
      const pending: Pending = {
        provider: signIn.provider,
        state: secret(deps),
        nonce: secret(deps),
        verifier: secret(deps),
        returnTo: localPath(given.get('return_to'), deps.sessions.publicUrl),
        tenant: shortText(given.get('tenant'), 100),
        link,
        invited: shortText(given.get('invited'), 64),
      };
      const location = await signIn.authorizationUrl({
        ...pending,
        redirectUri: redirectUriOf(signIn, deps),
        loginHint: shortText(given.get('login_hint'), 255),
      });
      const seen = { cookies: request.headers.get('cookie'), nowMs: deps.clock.now() };
      const kept = await keepPending(pending, seen, await deps.keyRing.current(), deps.sessions);
      context.setCookies(kept);
      return seeOther(location);
    },
  };
}

/** The named provider, or the only one. Throws Refusal `unknown_provider`. */
function chosen(name: string | null, deps: AuthDeps): SignIn {
  const [only, other] = deps.signIns;
  return name === null && only !== undefined && other === undefined ? only : providerAt(name ?? '', deps);
}

/**
 * With `link=1` the session that the account is to be linked from: begun by password, and by a page of our own, since another
 * site could send its visitor with an account of the site's at the provider. Throws as requireCaller(), and Refusal `forbidden`.
 */
async function linking(
  request: Request,
  context: RouteContext,
  link: string | null,
  deps: AuthDeps,
): Promise<Pending['link']> {
  if (link !== '1') return null;
  const site = request.headers.get('sec-fetch-site');
  if (site !== null && site !== 'same-origin' && site !== 'none')
    throw new Refusal('cross_site', 'a link that another site asks for');
  const { session } = await requireCaller(request, context, deps);
  if (session.method !== 'jwt')
    throw new Refusal('forbidden', 'a link from a session that did not begin by password', {
      detail: 'Sign in with the password first: an account is linked from that session alone.',
    });
  return { userId: session.userId, sessionId: session.sessionId };
}

/** 256 bits; RFC 7636 §4.1 takes 43 characters for a verifier. */
function secret({ random }: Pick<AuthDeps, 'random'>): string {
  return Buffer.from(random.hex(32), 'hex').toString('base64url');
}

/** Throws Refusal `invalid_request`. */
function shortText(given: string | null, most: number): string | null {
  if (given === null || given === '') return null;
  if (given.length > most || /[\u0000-\u001f\u007f]/.test(given))
    throw new Refusal('invalid_request', 'tenant, login_hint or invited is no short text', {
      detail: 'tenant, login_hint and invited are short texts.',
    });
  return given;
}

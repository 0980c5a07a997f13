import type { OwnRoute } from '../../../shared/edge/frame.ts';
import { Refusal } from '../../../shared/errors.ts';
import { audit, type AuditEntry } from '../../../shared/people/audit.ts';
import type { Declined, SignIn } from '../../../shared/ports/sign-in.ts';
import { sessionCookies } from '../../../shared/sessions/cookies.ts';
import type { Origin } from '../../../shared/sessions/refresh.ts';
import { originOf, type AuthDeps } from '../deps.ts';
import { seeOther } from '../http.ts';
import { refusalPage } from '../../../shared/edge/page.ts';
import { complete } from './complete.ts';
import { AUTHORIZE, CALLBACK, invalidCallback, providerAt, redirectUriOf } from './http.ts';
import { dropPending, readPending, type Pending } from './pending.ts';

/** Completes a sign-in that began in this browser: GET callback/{provider}, one redirect URI per issuer. */
export function callbackRoute(deps: AuthDeps): OwnRoute {
  return {
    path: CALLBACK,
    methods: ['GET'],
    quota: 'coarse',
    page: (shown, requestId, { url }) => refusalPage(shown, requestId, anew(new URL(url).pathname, deps)),
    async answer(request, context) {
      const url = new URL(request.url);
      const signIn = providerAt(url.pathname.slice(CALLBACK.length), deps);
      const parameters = singleParameters(url.searchParams);
      const pending = await pendingOf(request, parameters.get('state') ?? '', deps);
      if (pending.provider !== signIn.provider) throw invalidCallback('begun at another provider');
      // Where the provider or the database is away, the sign-in stays, and the same answer may come again.
      const over = () => {
        context.setCookies([dropPending(pending.state, deps.sessions)]);
      };
      const redeemed = await signIn.redeem({
        ...pending,
        parameters,
        redirectUri: redirectUriOf(signIn, deps),
      });
      if (redeemed.outcome === 'declined') {
        await audit(deps.database, declinedEntry(signIn, redeemed, originOf(request, context)));
        over();
        throw invalidCallback(redeemed.reason);
      }
      const code = parameters.get('code') ?? '';
      const arriving = { signIn, signedIn: redeemed, pending, code, request, context };
      const pair = await complete(arriving, deps).catch((error: unknown) => {
        if (error instanceof Refusal) over();
        throw error;
      });
      over();
      context.setCookies(sessionCookies(pair, deps.sessions));
      return seeOther(pending.returnTo);
    },
  };
}

/** Of what came back without an account: it counts among refused callbacks, as one of an account does, but for who gave up. */
function declinedEntry(
  { provider }: SignIn,
  { reason: why, cancelled }: Declined,
  { address, requestId }: Pick<Origin, 'address' | 'requestId'>,
): AuditEntry {
  const from = address ?? 'unknown';
  const what = cancelled === true ? 'sign_in_cancelled' : 'sign_in_refused';
  return { who: 'anonymous', what, from, run: requestId, detail: { by: provider, why } };
}

/** Null for a provider that there is none of. */
function anew(path: string, { signIns }: Pick<AuthDeps, 'signIns'>): string | null {
  const found = signIns.find(({ provider }) => CALLBACK + provider === path);
  return found === undefined ? null : `${AUTHORIZE}?provider=${found.provider}`;
}

async function pendingOf(request: Request, state: string, deps: AuthDeps): Promise<Pending> {
  const keys = await deps.keyRing.current();
  const seen = { cookies: request.headers.get('cookie'), nowMs: deps.clock.now() };
  const pending = await readPending(state, seen, keys, deps.sessions);
  if (pending === undefined) throw invalidCallback('no sign-in with this state in this browser');
  return pending;
}

const MOST_PARAMETER = 8_192;

/** RFC 6749 §3.1: none comes twice. */
function singleParameters(parameters: URLSearchParams): URLSearchParams {
  const names = [...parameters.keys()];
  if (new Set(names).size < names.length) throw invalidCallback('a parameter comes twice');
  for (const value of parameters.values())
    if (value.length > MOST_PARAMETER || value.includes('\0'))
      throw invalidCallback('a parameter is no text of its kind');
  return parameters;
}

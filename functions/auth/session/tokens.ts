import * as z from 'zod';
import type { OwnRoute } from '../../../shared/edge/frame.ts';
import { text } from '../../../shared/edge/json-body.ts';
import { Refusal } from '../../../shared/errors.ts';
import {
  cookieNames,
  endedCookies,
  readCookie,
  requireOwnSite,
  sessionCookies,
} from '../../../shared/sessions/cookies.ts';
import { refreshSession } from '../../../shared/sessions/refresh.ts';
import { siteOf } from '../caller.ts';
import { originOf, refreshDeps, type AuthDeps } from '../deps.ts';
import { answerJson, optionalBody } from '../http.ts';
import { tokensOf } from '../user.ts';

const Body = z.object({ refresh_token: text(256).nullish() });

/** Rotates the tokens of a session, by the token in the body or by cookie. */
export function refreshRoute(path: string, deps: AuthDeps): OwnRoute {
  return {
    path,
    methods: ['POST'],
    quota: 'coarse',
    async answer(request, context) {
      const { refresh_token: given } = await optionalBody(context, Body);
      const cookie = readCookie(request.headers.get('cookie'), cookieNames(deps.sessions).refresh);
      const byCookie = given == null && cookie !== undefined;
      if (byCookie) requireOwnSite(request, siteOf(deps));
      const token = given ?? cookie;
      if (token === undefined) throw new Refusal('invalid_refresh', 'no refresh token');
      const refreshed = await refreshSession(token, originOf(request, context), refreshDeps(deps));
      if (refreshed.ok) {
        if (!byCookie) return answerJson(tokensOf(refreshed.pair));
        context.setCookies(sessionCookies(refreshed.pair, deps.sessions));
        return answerJson({});
      }
      if (byCookie) context.setCookies(endedCookies(deps.sessions));
      throw new Refusal('invalid_refresh', refreshed.why);
    },
  };
}

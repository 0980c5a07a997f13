import type { OwnRoute } from '../../shared/edge/frame.ts';
import { refusalPage } from '../../shared/edge/page.ts';
import { PROVIDERS } from '../../shared/invitations/mailing.ts';
import { survey, unsubscribe } from './afterwards.ts';
import type { InvitesDeps } from './deps.ts';
import { namedBy } from './http.ts';
import { invitation } from './invitation.ts';
import type { PageDeps } from './pages.ts';

/** The pages below /invites/{token}. */
export function pagesRoute(deps: InvitesDeps): OwnRoute {
  const pages = pageDeps(deps);
  const itself = invitation(deps, pages);
  const further = new Map([
    ['unsubscribe', unsubscribe(deps, pages)],
    ['survey', survey(deps, pages)],
  ]);
  return {
    path: '/invites/',
    methods: ['GET', 'POST'],
    quota: 'coarse',
    secretPath: true,
    page: (shown, requestId) => refusalPage(shown, requestId),
    answer(request, context) {
      const named = namedBy(request);
      return (further.get(named.rest) ?? itself)(named, request, context);
    },
  };
}

function pageDeps({ config: { brand, migration, clients } }: InvitesDeps): PageDeps {
  const { provider, directory } = migration;
  const issuers = [directory?.issuer, ...clients.map(({ issuer }) => issuer)];
  const origins = issuers.flatMap((issuer) => (issuer === undefined ? [] : [new URL(issuer).origin]));
  return {
    brand,
    provider: provider === null ? null : PROVIDERS[provider],
    formTargets: [...new Set(origins)],
  };
}

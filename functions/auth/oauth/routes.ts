import type { OwnRoute } from '../../../shared/edge/frame.ts';
import type { AuthDeps } from '../deps.ts';
import { refreshRoute } from '../session/tokens.ts';
import { authorizeRoute } from './authorize.ts';
import { callbackRoute } from './callback.ts';
import { backchannelLogoutRoute } from './logout.ts';

/** Sign-in by the provider. */
export function oauthRoutes(deps: AuthDeps): OwnRoute[] {
  return [
    authorizeRoute(deps),
    callbackRoute(deps),
    backchannelLogoutRoute(deps),
    // Every refresh of a session that began at a provider is confirmed there: the path is the application's name for it.
    refreshRoute('/api/v1/auth/oauth/refresh', deps),
  ];
}

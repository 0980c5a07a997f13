import type { Brought } from '../../shared/edge/function.ts';
import { confirmation } from '../../shared/sessions/confirm.ts';
import { provisionOne } from '../../shared/provisioning/one.ts';
import { sessionMarks } from '../../shared/sessions/revocation.ts';
import type { PartOf } from '../../shared/configuration/slice.ts';
import { changeRoute } from './account/change.ts';
import { registerRoutes } from './account/register.ts';
import { resetRoutes } from './account/reset.ts';
import type { AuthPorts, PasswordDeps } from './deps.ts';
import { authJobs } from './jobs.ts';
import { authorizeRoute } from './oauth/authorize.ts';
import { callbackRoute } from './oauth/callback.ts';
import { backchannelLogoutRoute } from './oauth/logout.ts';
import { carryOver } from './password/carry-over.ts';
import { Hashing, LEAST_COST } from './password/hashes.ts';
import { loginRoute } from './password/login.ts';
import { laterRoute } from './session/migration.ts';
import { ownSessionRoutes } from './session/own.ts';
import { refreshRoute } from './session/tokens.ts';
import type { AUTH } from './slice.ts';
import { sessionTargetRoute } from './zitadel/session-target.ts';

/** Sign-in by password and by provider, and the sessions that begin with it. */
export function createAuth(ports: AuthPorts, config: PartOf<typeof AUTH.slice>): Brought {
  const { database, keyRing } = ports;
  if (database === null || keyRing === null || config.sessions === null)
    throw new Error('auth needs a database and sessions: its slice makes their absence a fault');
  const { directory, log } = ports;
  const zitadel = config.migration.directory;
  const hashing = new Hashing(ports.platform.passwords);
  const deps: PasswordDeps = {
    ...ports,
    database,
    keyRing,
    config,
    sessions: config.sessions,
    hashing,
    confirm: confirmation({ ...ports, database, keyRing }),
    carryOver:
      directory === null
        ? undefined
        : carryOver({
            database,
            directory,
            log,
            provision: (userId) => provisionOne(userId, { database, directory }),
            hash: (password) => hashing.hash(password, Math.max(LEAST_COST, config.passwordCost)),
          }),
  };
  ports.marksFrom(sessionMarks(database));
  return {
    routes: [
      loginRoute(deps),
      refreshRoute('/api/v1/auth/refresh', deps),
      ...ownSessionRoutes(deps),
      laterRoute(deps),
      changeRoute(deps),
      ...resetRoutes(deps),
      ...registerRoutes(deps),
      ...(directory === null || zitadel?.provider !== 'zitadel'
        ? []
        : [sessionTargetRoute({ ...deps, directory, zitadel })]),
      authorizeRoute(deps),
      callbackRoute(deps),
      backchannelLogoutRoute(deps),
      // Every refresh of a session that began at a provider is confirmed there: the path is the application's name for it.
      refreshRoute('/api/v1/auth/oauth/refresh', deps),
    ],
    jobs: authJobs(deps),
  };
}

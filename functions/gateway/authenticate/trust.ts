import type { IssuersConfig } from '../../../shared/configuration/issuers.ts';
import type { ServerConfig } from '../../../shared/configuration/server.ts';
import type { MaybeSessions } from '../../../shared/configuration/sessions.ts';
import type { Deps } from '../../../shared/deps.ts';
import { guardAddress } from '../../../shared/edge/quota.ts';
import type { IssuerName } from '../../../shared/identity/subjects.ts';
import type { Discovery, ProviderDeps } from '../../../shared/keys/discovery.ts';
import { openIssuers, type IssuerOf } from '../../../shared/keys/issuer.ts';
import type { KeySource } from '../../../shared/keys/key-source.ts';
import { confirmation } from '../../../shared/sessions/confirm.ts';
import { cookieNames } from '../../../shared/sessions/cookies.ts';
import { refreshSession } from '../../../shared/sessions/refresh.ts';
import { createAuthenticator, type Authenticator } from './authenticate.ts';
import { createSessionCookies, type SessionCookies } from './cookies.ts';
import { createGroups } from './groups.ts';
import { createIntrospectors } from './introspect.ts';
import { createPeople } from './people.ts';
import type { Verify } from './principal.ts';
import { SESSION, sessionIssuer, sessionKeySource } from './sessions.ts';
import { createJwtVerifier, type TrustedIssuer } from './verify.ts';

export interface TrustDeps extends ProviderDeps {
  /** Key sources of issuers that need no HTTP. */
  readonly keySources?: Partial<Record<IssuerName, KeySource>>;
  /** Absent: discovery and keys are held here alone. */
  readonly issuerOf?: IssuerOf;
}

export interface Trust {
  readonly issuers: readonly TrustedIssuer[];
  readonly verifySigned: Verify;
  readonly verifyOpaque: Verify | undefined;
  /** Of a configured issuer; undefined for others. */
  readonly discoveryOf: (url: string) => Discovery | undefined;
}

/** The verifiers of the configured issuers. */
export function trust(config: Pick<IssuersConfig, 'issuers' | 'introspection'>, deps: TrustDeps): Trust {
  const issuerOf = deps.issuerOf ?? openIssuers(deps);
  const known = new Set(config.issuers.map(({ url }) => url));
  const issuers = config.issuers.map((issuer) => ({
    config: issuer,
    keys: deps.keySources?.[issuer.name] ?? issuerOf(issuer.url).keys,
  }));
  const { introspection } = config;
  return {
    issuers,
    discoveryOf: (url) => (known.has(url) ? issuerOf(url).discovery : undefined),
    verifySigned: createJwtVerifier(issuers, deps.clock),
    verifyOpaque: createIntrospectors(
      introspection.map((one) => [one, issuerOf(one.issuer.url).discovery] as const),
      deps,
    ),
  };
}

export type AuthenticationNeeds = Pick<
  Deps,
  | 'platform'
  | 'clock'
  | 'random'
  | 'log'
  | 'collapse'
  | 'localCounters'
  | 'database'
  | 'keyRing'
  | 'revocations'
  | 'issuerOf'
  | 'signIns'
> & { readonly config: IssuersConfig & MaybeSessions & Pick<ServerConfig, 'allowedOrigins'> };

export interface Authentication {
  readonly trusted: Trust;
  readonly authenticator: Authenticator;
  /** Names of the cookies of our own sessions; undefined without them. */
  readonly sessionCookies: ReturnType<typeof cookieNames> | undefined;
  /** Whether the database says whose tokens these are. */
  readonly looksUp: boolean;
}

/** Authentication over the bundle's ports: issuers, our own sessions, the users and tenants of the database. */
export function openAuthentication(deps: AuthenticationNeeds): Authentication {
  const { config, clock, collapse, database, log } = deps;
  const { sessions } = config;
  const provider = { ...deps.platform, clock, log, collapse };
  const trusted = trust(withSessions(config), {
    ...provider,
    issuerOf: deps.issuerOf,
    ...(deps.keyRing && { keySources: { [SESSION]: sessionKeySource(deps.keyRing) } }),
  });
  const issuers = trusted.issuers.map((issuer) => issuer.config);
  const kanidm = issuers.find(({ name }) => name === 'kanidm');
  const beforeVerify = (address: string): void => {
    guardAddress(address, deps.localCounters);
  };
  const cookies = openCookies(deps, beforeVerify);
  return {
    trusted,
    sessionCookies: sessions === null ? undefined : cookieNames(sessions),
    looksUp:
      database !== null && issuers.some(({ name, sharedSubjects }) => sharedSubjects && name !== SESSION),
    authenticator: createAuthenticator({
      clock,
      verifySigned: trusted.verifySigned,
      verifyOpaque: trusted.verifyOpaque,
      allowedOrigins: config.allowedOrigins,
      locate: createPeople({
        database,
        issuers,
        groupsOf: createGroups(
          { kanidm: kanidm && trusted.discoveryOf(kanidm.url), zitadelProject: config.zitadelProject },
          provider,
        ),
        clock,
        collapse,
      }),
      ...(cookies && { sessions: cookies }),
      beforeVerify,
    }),
  };
}

/** The trusted issuers, our own included. */
function withSessions(config: AuthenticationNeeds['config']): IssuersConfig {
  const { sessions, issuers, sharedSubjectIssuers: shared } = config;
  if (sessions === null) return config;
  const others = issuers.map(({ name }) => name);
  return { ...config, issuers: [...issuers, sessionIssuer(sessions, { shared, others })] };
}

function openCookies(
  { config, database, keyRing, platform, clock, random, log, revocations, signIns }: AuthenticationNeeds,
  beforeRenewal: (address: string) => void,
): SessionCookies | undefined {
  const { sessions, allowedOrigins } = config;
  if (sessions === null || database === null || keyRing === null) return undefined;
  const confirm = confirmation({ database, signIns, keyRing, clock, random });
  const refreshing = { database, keyRing, config: sessions, clock, revocations, log, confirm };
  return createSessionCookies({
    config: sessions,
    allowedOrigins,
    joinsRequests: platform.joinsRequests,
    beforeRenewal,
    refresh: (token, origin) => refreshSession(token, origin, refreshing),
  });
}

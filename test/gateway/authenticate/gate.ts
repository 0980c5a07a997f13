import {
  createAuthenticator,
  type Authenticate,
  type Authenticator,
  type AuthenticatorDeps,
} from '../../../functions/gateway/authenticate/authenticate.ts';
import type { Principal } from '../../../functions/gateway/authenticate/principal.ts';
import { createGroups } from '../../../functions/gateway/authenticate/groups.ts';
import { createPeople } from '../../../functions/gateway/authenticate/people.ts';
import { trust } from '../../../functions/gateway/authenticate/trust.ts';
import type { IntrospectionConfig, IssuerConfig } from '../../../shared/configuration/issuers.ts';
import type { Renewable } from '../../../functions/gateway/authenticate/cookies.ts';
import { Refusal } from '../../../shared/errors.ts';
import type { Database } from '../../../shared/ports/database.ts';
import { shareInFlight, type Collapse } from '../../../shared/caches/in-flight.ts';
import { manualClock } from '../../support/clock.ts';
import { createIssuer, type FakeIssuer } from '../../support/issuer.ts';
import { providerDeps, type TestDeps } from '../../support/provider-deps.ts';

export interface Gate extends TestDeps {
  readonly zitadel: FakeIssuer;
  readonly kanidm: FakeIssuer;
  /** The value, or the promise, exactly as the step gave it. */
  present(authorization: string | undefined, wanted?: ReadonlySet<string>): ReturnType<Authenticate>;
  /** The principal a bearer token gives. */
  admit(token: string): Promise<Principal | undefined>;
  /** The refusal a bearer token meets; fails when it is let in. */
  refuse(token: string): Promise<Refusal>;
  forget(user: string): readonly string[];
  /** Addresses for which a verification was announced. */
  readonly guarded: string[];
}

export interface GateOptions extends Pick<AuthenticatorDeps, 'maxAccepted' | 'maxRejected'> {
  readonly alg?: string;
  readonly collapse?: Collapse;
  /** Claims that rules demand. */
  readonly wanted?: ReadonlySet<string>;
  readonly introspection?: Omit<IntrospectionConfig, 'issuer'>;
  /** Absent: none. */
  readonly database?: Pick<Database, 'query'>;
}

export const CLIENT = { id: 'gateway@api', secret: 's:e%c+r/e=t' };

/** The authentication step in front of two fake issuers: Zitadel with shared subjects, Kanidm with its own. */
export async function createGate(options: GateOptions = {}): Promise<Gate> {
  const clock = manualClock();
  const alg = options.alg ?? 'ES256';
  const zitadel = await createIssuer({ url: 'https://zitadel.test', alg, clock, client: CLIENT });
  const kanidm = await createIssuer({ url: 'https://kanidm.test/oauth2/openid/app', clock });
  const deps = providerDeps(
    (url, init) => (url.startsWith(kanidm.url) ? kanidm : zitadel).fetch(url, init),
    options.collapse ?? shareInFlight,
    clock,
  );
  const issuer: IssuerConfig = {
    name: 'zitadel',
    url: zitadel.url,
    audiences: ['api', 'web', CLIENT.id],
    sharedSubjects: true,
    others: ['corp'],
    typ: 'any',
  };
  const issuers: IssuerConfig[] = [
    issuer,
    { name: 'kanidm', url: kanidm.url, audiences: ['api'], sharedSubjects: false, typ: 'at+jwt' },
  ];
  const introspection = options.introspection ? [{ ...options.introspection, issuer }] : [];
  const guarded: string[] = [];
  const trusted = trust({ issuers, introspection }, deps);
  const groupsOf = createGroups({ kanidm: trusted.discoveryOf(kanidm.url), zitadelProject: null }, deps);
  const { authenticate, forget }: Authenticator = createAuthenticator({
    ...trusted,
    ...options,
    locate: createPeople({ ...deps, database: options.database ?? null, issuers, groupsOf }),
    clock,
    beforeVerify: (address) => void guarded.push(address),
  });
  const { wanted: demanded = new Set<string>() } = options;
  const present: Gate['present'] = (authorization, wanted = demanded) =>
    authenticate(
      { access: { kind: 'authenticated' }, token: undefined },
      requestWith({ authorization }),
      wanted,
    );
  const admit = async (token: string) => present(`Bearer ${token}`);
  const refuse = (token: string): Promise<Refusal> => refusal(() => present(`Bearer ${token}`));
  return { ...deps, zitadel, kanidm, present, admit, refuse, forget, guarded };
}

/** A GET of `/` with the given fields. */
export function requestWith(
  fields: Partial<Renewable['read']>,
  about: Partial<Omit<Renewable, 'read'>> = {},
): Renewable {
  const none = { authorization: undefined, cookie: undefined, protocols: undefined, onward: [] };
  const read = { ...none, origin: undefined, fetchSite: undefined, upgrade: undefined, ...fields };
  const plain = {
    method: 'GET',
    target: '/',
    scheme: 'http',
    host: 'api.example.org',
    address: '192.0.2.1',
    id: 'r1',
  };
  return { ...plain, ...about, read };
}

/** The Refusal that `attempt` throws or rejects with. */
export async function refusal(attempt: () => unknown): Promise<Refusal> {
  try {
    await attempt();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('it was let in');
}

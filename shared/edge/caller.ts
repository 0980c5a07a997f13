import type { RouteContext } from './frame.ts';

/** A tenant that a caller is in, and as what: super_admin, admin, manager, user or viewer. */
export interface CallerTenant {
  readonly tenantId: string;
  readonly slug: string;
  readonly role: string;
}

/** Who calls an own route, by any token or session cookie that the gateway takes. */
export interface Caller {
  /** The OpenFGA user. */
  readonly user: string;
  readonly subject: string;
  /** The issuer's name. */
  readonly issuer: string;
  /** Several only for groups of a provider. Throws where the provider or the database that would have to say is away. */
  tenants(): readonly CallerTenant[];
}

/**
 * Answers a request as its caller: counted against the caller's quota, refused where its token, session or account is withdrawn.
 * Cookies of a session renewed on the way go on the answer, whatever that will be. Rejects with Refusal `missing_token`,
 * `invalid_token`, `invalid_refresh`, `cross_site`, `rate_limited`, as `Database` and as `Counters`, and as `answer`.
 */
export type AsCaller = (
  request: Request,
  context: Pick<RouteContext, 'id' | 'address' | 'setCookies'>,
  answer: (caller: Caller) => Response | Promise<Response>,
) => Promise<Response>;

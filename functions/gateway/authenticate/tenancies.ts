import { Refusal } from '../../../shared/errors.ts';
import { toRefusal } from '../../../shared/edge/problem.ts';
import { uuidReadIn } from '../../../shared/uuid.ts';
import type { Match } from '../match/types.ts';

/** A tenant that a caller is in, and as what. */
export interface Tenancy {
  /** tenants.tenant_id */
  readonly tenant: string;
  readonly slug: string;
  /** super_admin, admin, manager, user or viewer. */
  readonly role: string;
  /** Names and values in turn, for the upstream. */
  readonly fields: readonly string[];
}

/** The tenants of a caller; several are possible only for groups of a provider. */
export interface Tenancies {
  readonly all: readonly Tenancy[];
  /** Why they are unknown; undefined where they are known. */
  readonly fault: unknown;
}

/** In no tenant. */
export const NOWHERE: Tenancies = { all: [], fault: undefined };

/** Only the database says who is in which tenant, session tokens apart. */
export const NO_DATABASE: Tenancies = {
  all: [],
  fault: new Refusal('not_configured', 'a rule demands a tenant, and DATABASE_URL is not set'),
};

/** What may stand in a field (RFC 9110 §5.5): a slug is any text of the application. */
const FIELD = /^[!-~](?:[ -~]*[!-~])?$/;

export function tenancy(tenant: string, slug: string, role: string): Tenancy {
  const fields = [
    ...['X-User-Tenant', tenant],
    ...(FIELD.test(slug) ? ['X-User-Tenant-Slug', slug] : []),
    ...(FIELD.test(role) ? ['X-User-Role', role] : []),
  ];
  return { tenant, slug, role, fields };
}

/** The one tenant that a request is made in: the one that its path names where the rule says so, else the only one. */
export function tenancyOf(match: Match, { all }: Tenancies): Tenancy | undefined {
  if (all.length < 2) return all[0];
  const demand = match.rule.tenant;
  if (demand?.kind !== 'param') return undefined;
  const named = match.params[demand.name];
  return all.find((each) => isNamed(each, named));
}

/** Why the rule's demand for a tenant is not met; undefined where it is, or is not made. */
export function lackOfTenant(
  match: Match,
  { all, fault }: Tenancies,
  own: Tenancy | undefined,
): Refusal | undefined {
  const demand = match.rule.tenant;
  if (demand === undefined) return undefined;
  if (fault !== undefined) return toRefusal(fault);
  if (all.length === 0) return new Refusal('no_tenant', 'the caller is in no tenant');
  if (demand.kind === 'any')
    return own === undefined ? new Refusal('no_tenant', SEVERAL, { detail: SEVERAL }) : undefined;
  // Parameters are captured at each access.
  if (own !== undefined && isNamed(own, match.params[demand.name])) return undefined;
  return new Refusal('wrong_tenant', `not in the tenant that the path names by "${demand.name}"`);
}

const SEVERAL = 'The caller is in groups of several tenants, and the path names none of them.';

/** Exactly: the API behind may distinguish spellings, or may not. A slug that is read as a uuid could be the id of another tenant. */
function isNamed({ tenant, slug }: Tenancy, named: string | undefined): boolean {
  return named === tenant || (named === slug && uuidReadIn(slug) === null);
}

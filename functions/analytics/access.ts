import * as z from 'zod';
import type { Caller } from '../../shared/edge/caller.ts';
import { Refusal } from '../../shared/errors.ts';
import type { Scope } from '../../shared/figures/scope.ts';
import { isTenant } from '../../shared/people/tenants.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import type { Relations } from '../../shared/ports/relations.ts';
import { prove, type Proof } from '../../shared/proof.ts';

/** Who may read figures, and which. Only viewerOf() makes one. */
export type Viewer = Proof<
  {
    readonly scope: Scope;
    readonly slug: string | null;
    /** Whether figures of all tenants are open to them, whichever were asked for. */
    readonly seesAll: boolean;
  },
  'viewer'
>;

const viewer = prove<'viewer'>();

/** As migrations of access rules name features. */
const FIGURES_FEATURE = 'feature:migration_figures';
const ADMINS = new Set(['admin', 'super_admin']);

export interface AccessDeps {
  readonly database: Pick<Database, 'query'>;
  readonly relations: Pick<Relations, 'check'>;
}

/** An admin of several tenants has named none: `slugs` are theirs. */
export class TenantNotNamed extends Refusal {
  readonly slugs: readonly string[];

  constructor(slugs: readonly string[]) {
    super('tenant_required', 'admin of several tenants', {
      status: 403,
      detail: `You are admin of several tenants. Name one of them as tenant: ${slugs.join(', ')}.`,
    });
    this.slugs = slugs;
  }
}

/**
 * Viewers of the feature see everything, or the tenant that `named` (a slug or an id) names; an admin sees the own tenant alone.
 * Throws Refusal `forbidden`, TenantNotNamed, `wrong_tenant` for an admin of another tenant, `not_found` for a tenant that is none; as `Relations` and
 * as `Database`.
 */
export async function viewerOf(caller: Caller, named: string | null, deps: AccessDeps): Promise<Viewer> {
  const seesAll = await deps.relations.check({
    user: caller.user,
    relation: 'viewer',
    object: FIGURES_FEATURE,
  });
  if (seesAll) return everything(named, deps);
  const own = caller.tenants().filter(({ role }) => ADMINS.has(role));
  const [first, second] = own;
  if (first === undefined)
    throw new Refusal('forbidden', `neither viewer of ${FIGURES_FEATURE} nor admin of a tenant`);
  if (named === null && second !== undefined)
    throw new TenantNotNamed(own.map(({ slug }) => slug).toSorted());
  const chosen = named === null ? first : own.find((each) => each.slug === named || each.tenantId === named);
  if (chosen === undefined) throw new Refusal('wrong_tenant', 'admin of another tenant');
  return viewer({ scope: { tenantId: chosen.tenantId }, slug: chosen.slug, seesAll: false });
}

const Named = z.object({ tenantId: z.string(), slug: z.string() });

async function everything(named: string | null, { database }: AccessDeps): Promise<Viewer> {
  if (named === null) return viewer({ scope: 'all' as const, slug: null, seesAll: true });
  const [tenant] = await database.query(
    sql`select t.tenant_id as "tenantId", t.slug from tenants t where ${isTenant(named)}`,
    Named,
  );
  if (tenant === undefined) throw new Refusal('not_found', 'no such tenant');
  return viewer({ scope: { tenantId: tenant.tenantId }, slug: tenant.slug, seesAll: true });
}

import type { Zitadel } from '../../dev/zitadel/index.ts';
import { ORGANIZATION } from '../../dev/zitadel/users.ts';
import { syncGroups } from '../../shared/provisioning/groups.ts';
import type { Directory } from '../../shared/ports/directory.ts';
import { openDirectory } from '../contracts/directory-support.ts';
import { depsOf } from '../provisioning/ground.ts';
import { makeTenant, makeUser, type MadeUser } from './people.ts';
import type { AuthStage } from './suite.ts';

const ISSUER = 'https://auth.example.org';

/** Zitadel with organisations as tenants: the directory, and the variables that configure the same. */
export function zitadelDirectory(
  { url, token }: Pick<Zitadel, 'url' | 'token'>,
  projectId: string | null = null,
): { readonly directory: Directory; readonly variables: Readonly<Record<string, string>> } {
  const tenancy = 'organisations';
  const where = { issuer: ISSUER, url, token, tenancy, organization: ORGANIZATION, projectId } as const;
  return {
    directory: openDirectory({ provider: 'zitadel', ...where }),
    variables: {
      MIGRATION_PROVIDER: 'zitadel',
      ZITADEL_ISSUER_URL: ISSUER,
      ZITADEL_AUDIENCE: 'api',
      ZITADEL_API_URL: url,
      ZITADEL_PROVISIONING_TOKEN: token,
    },
  };
}

/** A user of a tenant whose groups exist at the provider. `hash` as in makeUser(). */
export async function userOfGroups(
  { database }: Pick<AuthStage, 'database'>,
  directory: Directory,
  hash?: string,
): Promise<MadeUser> {
  const tenant = await makeTenant(database);
  await syncGroups(tenant.slug, false, depsOf(database, directory));
  return makeUser(database, { tenant, ...(hash !== undefined && { hash }) });
}

import {
  createIdp,
  identityProviders,
  updateIdp,
  type IdentityProvider,
  type IdpSettings,
} from '../api/identity-providers.ts';
import { currentList } from './current.ts';
import type { IdpWanted } from './file.ts';
import { differences, Plan, type Setup } from './plan.ts';

const TYPES = { google: 'PROVIDER_TYPE_GOOGLE', azure: 'PROVIDER_TYPE_AZURE_AD' } as const;
const LABELS = { google: 'Google', azure: 'Azure AD' } as const;

export function nameOf({ type, name }: IdpWanted): string {
  return `${LABELS[type]} ${name === LABELS[type] ? '' : name}`.trim();
}

export function currentIdps(client: Setup['client']): Promise<readonly IdentityProvider[]> {
  const types = [
    ...['google', 'azure', 'github', 'github_enterprise', 'gitlab', 'gitlab_self_hosted'],
    ...['oidc', 'oauth', 'jwt', 'saml', 'apple', 'ldap', 'ldap.v2'],
  ].map((kind) => `instance.idp.${kind}.added`);
  return currentList(client, () => identityProviders(client), {
    added: types,
    removed: ['instance.idp.removed'],
  });
}

/** Zitadel takes a second one silently, so one is made only where none of this kind and name is. */
export async function identityProvidersPart({ client, wanted, ids, asked }: Setup): Promise<Plan> {
  const plan = new Plan();
  if (wanted.identityProviders.length === 0) return plan;
  const found = await currentIdps(client);
  for (const idp of wanted.identityProviders) {
    const what = nameOf(idp);
    const secret = `client secret of ${what}`;
    const settings = settingsOf(idp);
    const same = found.filter(({ type, name }) => type === TYPES[idp.type] && name === idp.name);
    const [first] = same;
    if (same.length > 1)
      plan.notes.push(`${what} is there ${same.length} times; the first counts, the others stay`);
    if (first === undefined) {
      plan.make(what, async () => {
        ids.idps.set(what, await createIdp(client, idp.type, settings, idp.clientSecret));
        asked.carriedOut(secret);
      });
      continue;
    }
    ids.idps.set(what, first.id);
    const differing = [
      ...differences(settingsIn(first), settings),
      ...(asked.writes(secret) ? ['clientSecret'] : []),
    ];
    if (differing.length > 0)
      plan.change(what, differing.join(', '), async () => {
        await updateIdp(client, idp.type, first.id, settings, idp.clientSecret);
        asked.carriedOut(secret);
      });
    else {
      plan.kept.push(what);
      plan.unchecked.push(`${secret}: Zitadel does not show it; --write-secrets writes it again`);
    }
  }
  return plan;
}

const LINKING = {
  off: 'AUTO_LINKING_OPTION_UNSPECIFIED',
  username: 'AUTO_LINKING_OPTION_USERNAME',
  email: 'AUTO_LINKING_OPTION_EMAIL',
} as const;

const TENANTS: Readonly<Record<string, string>> = {
  common: 'AZURE_AD_TENANT_TYPE_COMMON',
  organisations: 'AZURE_AD_TENANT_TYPE_ORGANISATIONS',
  organizations: 'AZURE_AD_TENANT_TYPE_ORGANISATIONS',
  consumers: 'AZURE_AD_TENANT_TYPE_CONSUMERS',
};

function settingsOf(idp: IdpWanted): IdpSettings {
  const { isLinkingAllowed, isCreationAllowed, isAutoCreation, isAutoUpdate, autoLinking } = idp;
  const common = {
    ...{ name: idp.name, clientId: idp.clientId, scopes: idp.scopes },
    providerOptions: {
      ...{ isLinkingAllowed, isCreationAllowed, isAutoCreation, isAutoUpdate },
      autoLinking: LINKING[autoLinking],
    },
  };
  return idp.type === 'google'
    ? common
    : { ...common, tenant: tenantOf(idp.tenant), emailVerified: idp.emailVerified };
}

function tenantOf(tenant: string): object {
  const tenantType = TENANTS[tenant];
  return tenantType === undefined ? { tenantId: tenant } : { tenantType };
}

/** As it was written, with what a list leaves out because it is the first of an enumeration. */
function settingsIn({ name, config: { options, google, azureAd } }: IdentityProvider): IdpSettings {
  const { clientId, scopes } = google ?? azureAd ?? { clientId: '', scopes: [] };
  const tenant = azureAd?.tenant;
  const type =
    tenant?.tenantType ?? (tenant?.tenantId === undefined ? 'AZURE_AD_TENANT_TYPE_COMMON' : undefined);
  return {
    ...{ name, clientId, scopes, providerOptions: options },
    ...(azureAd !== undefined && {
      emailVerified: azureAd.emailVerified,
      tenant: type === undefined ? { tenantId: tenant?.tenantId } : { tenantType: type },
    }),
  };
}

import * as z from 'zod';
import { listed } from '../../../shared/zitadel/reader.ts';
import { Nothing, unlessUnchanged, type ZitadelClient } from './client.ts';

const Options = z.object({
  isLinkingAllowed: z.boolean().default(false),
  isCreationAllowed: z.boolean().default(false),
  isAutoCreation: z.boolean().default(false),
  isAutoUpdate: z.boolean().default(false),
  autoLinking: z.string().default('AUTO_LINKING_OPTION_UNSPECIFIED'),
});

const Google = z.object({ clientId: z.string(), scopes: z.array(z.string()).default([]) });

const Azure = z.object({
  clientId: z.string(),
  scopes: z.array(z.string()).default([]),
  emailVerified: z.boolean().default(false),
  tenant: z.object({ tenantType: z.string().optional(), tenantId: z.string().optional() }).default({}),
});

const Provider = z.object({
  id: z.string(),
  name: z.string().default(''),
  state: z.string().default(''),
  type: z.string().default(''),
  config: z
    .looseObject({
      options: Options.prefault({}),
      google: Google.optional(),
      azureAd: Azure.optional(),
    })
    .prefault({}),
});

export type IdentityProvider = z.infer<typeof Provider>;
export type IdpOptions = z.infer<typeof Options>;

/** Of the instance. */
export function identityProviders(client: ZitadelClient): Promise<readonly IdentityProvider[]> {
  return listed(client, Provider, { path: '/admin/v1/idps/templates/_search', right: 'iam.idp.read' });
}

export type IdpKind = 'google' | 'azure';

export type IdpSettings = Readonly<Record<string, unknown>> & { readonly name: string };

/** Zitadel takes a second one of the same values silently. */
export async function createIdp(
  client: ZitadelClient,
  kind: IdpKind,
  settings: IdpSettings,
  clientSecret: string,
): Promise<string> {
  const call = {
    method: 'POST',
    path: `/admin/v1/idps/${kind}`,
    body: { ...settings, clientSecret },
    secrets: [clientSecret],
    right: 'iam.idp.write',
  } as const;
  return (await client.call(z.object({ id: z.string() }), call)).id;
}

/** Replaces all of it. An empty secret leaves the stored one. */
export async function updateIdp(
  client: ZitadelClient,
  kind: IdpKind,
  id: string,
  settings: IdpSettings,
  clientSecret: string,
): Promise<void> {
  const path = `/admin/v1/idps/${kind}/${id}`;
  const body = { ...settings, ...(clientSecret !== '' && { clientSecret }) };
  const call = { method: 'PUT', path, body, secrets: [clientSecret], right: 'iam.idp.write' } as const;
  await unlessUnchanged(client.call(Nothing, call));
}

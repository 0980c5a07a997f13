import * as z from 'zod';
import { listed, Nothing, type ZitadelClient } from './client.ts';
import type { ProjectPlace } from './projects.ts';

/** What a list leaves out because it is the first of an enumeration. */
const Oidc = z.looseObject({
  clientId: z.string(),
  redirectUris: z.array(z.string()).default([]),
  responseTypes: z.array(z.string()).default(['OIDC_RESPONSE_TYPE_CODE']),
  grantTypes: z.array(z.string()).default(['OIDC_GRANT_TYPE_AUTHORIZATION_CODE']),
  appType: z.string().default('OIDC_APP_TYPE_WEB'),
  authMethodType: z.string().default('OIDC_AUTH_METHOD_TYPE_BASIC'),
  postLogoutRedirectUris: z.array(z.string()).default([]),
  devMode: z.boolean().default(false),
  accessTokenType: z.string().default('OIDC_TOKEN_TYPE_BEARER'),
  accessTokenRoleAssertion: z.boolean().default(false),
  idTokenRoleAssertion: z.boolean().default(false),
  idTokenUserinfoAssertion: z.boolean().default(false),
  additionalOrigins: z.array(z.string()).default([]),
  skipNativeAppSuccessPage: z.boolean().default(false),
  backChannelLogoutUri: z.string().default(''),
});

const Api = z.object({
  clientId: z.string(),
  authMethodType: z.string().default('API_AUTH_METHOD_TYPE_BASIC'),
});

const Application = z.object({
  id: z.string(),
  name: z.string(),
  state: z.string().default(''),
  oidcConfig: Oidc.optional(),
  apiConfig: Api.optional(),
  samlConfig: z.looseObject({}).optional(),
});

export type Application = z.infer<typeof Application>;

/** An OpenID Connect application's settings, as they are written: whole. */
export type OidcSettings = Readonly<Record<string, unknown>>;

const READ_ONLY = new Set(['clientId', 'version', 'noneCompliant', 'complianceProblems', 'allowedOrigins']);

/** What may be written back of what was read. */
export function settingsOf(config: NonNullable<Application['oidcConfig']>): OidcSettings {
  return Object.fromEntries(Object.entries(config).filter(([name]) => !READ_ONLY.has(name)));
}

const RIGHT = { read: 'project.app.read', write: 'project.app.write' };

export function applicationsOf(
  client: ZitadelClient,
  { organization, project }: ProjectPlace,
): Promise<readonly Application[]> {
  const path = `/management/v1/projects/${project}/apps/_search`;
  return listed(client, Application, { path, organization, right: RIGHT.read });
}

const Made = z.object({
  appId: z.string(),
  clientId: z.string(),
  /** Absent where the application has none. */
  clientSecret: z.string().default(''),
});

export type MadeApplication = z.infer<typeof Made>;

/** The client secret is in this answer alone. */
export function createApiApplication(
  client: ZitadelClient,
  { organization, project }: ProjectPlace,
  body: { readonly name: string; readonly authMethodType: string },
): Promise<MadeApplication> {
  const path = `/management/v1/projects/${project}/apps/api`;
  return client.call(Made, { method: 'POST', path, organization, body, right: RIGHT.write });
}

/** The client secret is in this answer alone. */
export function createOidcApplication(
  client: ZitadelClient,
  { organization, project }: ProjectPlace,
  name: string,
  settings: OidcSettings,
): Promise<MadeApplication> {
  const path = `/management/v1/projects/${project}/apps/oidc`;
  const body = { name, ...settings };
  return client.call(Made, { method: 'POST', path, organization, body, right: RIGHT.write });
}

/** Replaces all settings. */
export async function updateOidcApplication(
  client: ZitadelClient,
  { organization, project }: ProjectPlace,
  id: string,
  settings: OidcSettings,
): Promise<void> {
  const path = `/management/v1/projects/${project}/apps/${id}/oidc_config`;
  await client.call(Nothing, { method: 'PUT', path, organization, body: settings, right: RIGHT.write });
}

export async function updateApiApplication(
  client: ZitadelClient,
  { organization, project }: ProjectPlace,
  id: string,
  authMethodType: string,
): Promise<void> {
  const path = `/management/v1/projects/${project}/apps/${id}/api_config`;
  await client.call(Nothing, {
    method: 'PUT',
    path,
    organization,
    body: { authMethodType },
    right: RIGHT.write,
  });
}

/** The one before stops working at once. */
export async function renewClientSecret(
  client: ZitadelClient,
  { organization, project }: ProjectPlace,
  { id, kind }: { readonly id: string; readonly kind: 'api' | 'oidc' },
): Promise<string> {
  const path = `/management/v1/projects/${project}/apps/${id}/${kind}_config/_generate_client_secret`;
  const shape = z.object({ clientSecret: z.string().min(1) });
  const call = { method: 'POST', path, organization, body: {}, right: RIGHT.write } as const;
  return (await client.call(shape, call)).clientSecret;
}

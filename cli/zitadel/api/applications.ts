import * as z from 'zod';
import { either, listed } from '../../../shared/zitadel/reader.ts';
import { createByConnect, listByConnect, secretByConnect, updateByConnect } from './applications-connect.ts';
import { Nothing, unlessUnchanged, type ZitadelClient } from './client.ts';
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

export function applicationsOf(client: ZitadelClient, place: ProjectPlace): Promise<readonly Application[]> {
  const { organization, project } = place;
  const path = `/management/v1/projects/${project}/apps/_search`;
  return either(
    () => listed(client, Application, { path, organization, right: RIGHT.read }),
    async () => z.array(Application).parse(await listByConnect(client, place)),
  );
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
  place: ProjectPlace,
  body: { readonly name: string; readonly authMethodType: string },
): Promise<MadeApplication> {
  return create(client, place, body, 'api');
}

/** The client secret is in this answer alone. */
export function createOidcApplication(
  client: ZitadelClient,
  place: ProjectPlace,
  name: string,
  settings: OidcSettings,
): Promise<MadeApplication> {
  return create(client, place, { ...settings, name }, 'oidc');
}

function create(
  client: ZitadelClient,
  place: ProjectPlace,
  body: OidcSettings & { readonly name: string },
  kind: 'api' | 'oidc',
): Promise<MadeApplication> {
  const { organization, project } = place;
  const path = `/management/v1/projects/${project}/apps/${kind}`;
  return either(
    () => client.call(Made, { method: 'POST', path, organization, body, right: RIGHT.write }),
    async () => Made.parse(await createByConnect(client, place, body, kind)),
  );
}

/** Replaces all settings. */
export function updateOidcApplication(
  client: ZitadelClient,
  place: ProjectPlace,
  id: string,
  settings: OidcSettings,
): Promise<void> {
  return update(client, place, id, settings, 'oidc');
}

export function updateApiApplication(
  client: ZitadelClient,
  place: ProjectPlace,
  id: string,
  authMethodType: string,
): Promise<void> {
  return update(client, place, id, { authMethodType }, 'api');
}

async function update(
  client: ZitadelClient,
  place: ProjectPlace,
  id: string,
  body: OidcSettings,
  kind: 'api' | 'oidc',
): Promise<void> {
  const { organization, project } = place;
  const path = `/management/v1/projects/${project}/apps/${id}/${kind}_config`;
  const writing = either<unknown>(
    () => client.call(Nothing, { method: 'PUT', path, organization, body, right: RIGHT.write }),
    () => updateByConnect(client, place, id, body, kind),
  );
  await unlessUnchanged(writing);
}

const NewSecret = z.object({ clientSecret: z.string().min(1) });

/** The one before stops working at once. */
export async function renewClientSecret(
  client: ZitadelClient,
  place: ProjectPlace,
  { id, kind }: { readonly id: string; readonly kind: 'api' | 'oidc' },
): Promise<string> {
  const { organization, project } = place;
  const path = `/management/v1/projects/${project}/apps/${id}/${kind}_config/_generate_client_secret`;
  const call = { method: 'POST', path, organization, body: {}, right: RIGHT.write } as const;
  const { clientSecret } = await either(
    () => client.call(NewSecret, call),
    async () => NewSecret.parse(await secretByConnect(client, place, id)),
  );
  return clientSecret;
}

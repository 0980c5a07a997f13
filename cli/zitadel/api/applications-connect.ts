import * as z from 'zod';
import { paginated } from '../../../shared/zitadel/reader.ts';
import { Nothing, type ZitadelClient } from './client.ts';
import type { ProjectPlace } from './projects.ts';

/** The same by Connect, for releases without the management API. Two members have other names there. */
const SERVICE = '/zitadel.application.v2.ApplicationService';
const RENAMED: Readonly<Record<string, string>> = {
  appType: 'applicationType',
  devMode: 'developmentMode',
  noneCompliant: 'nonCompliant',
};

type Json = Readonly<Record<string, unknown>>;
const Json = z.record(z.string(), z.unknown());

const Listed = z.object({
  applicationId: z.string(),
  name: z.string(),
  state: z.string().default(''),
  apiConfiguration: Json.optional(),
  oidcConfiguration: Json.optional(),
  samlConfiguration: Json.optional(),
});

/** As the management API lists them. */
export async function listByConnect(
  client: ZitadelClient,
  { project }: ProjectPlace,
): Promise<readonly object[]> {
  const found = await paginated(client, Listed, {
    path: `${SERVICE}/ListApplications`,
    body: { filters: [{ projectIdFilter: { projectId: project } }] },
    member: 'applications',
    right: 'project.app.read',
  });
  return found.map(({ applicationId, apiConfiguration, oidcConfiguration, samlConfiguration, ...rest }) => ({
    ...{ ...rest, id: applicationId, apiConfig: apiConfiguration, samlConfig: samlConfiguration },
    oidcConfig: oidcConfiguration && named(oidcConfiguration, (old) => oldNameOf(old)),
  }));
}

const Secret = z.object({ clientId: z.string(), clientSecret: z.string().default('') });
const Made = z.object({
  applicationId: z.string(),
  apiConfiguration: Secret.optional(),
  oidcConfiguration: Secret.optional(),
});

export async function createByConnect(
  client: ZitadelClient,
  { project }: ProjectPlace,
  { name, ...settings }: Json & { readonly name: string },
  kind: 'api' | 'oidc',
): Promise<object> {
  const body = { projectId: project, name, [`${kind}Configuration`]: newNames(settings) };
  const call = {
    method: 'POST',
    path: `${SERVICE}/CreateApplication`,
    body,
    right: 'project.app.write',
  } as const;
  const { applicationId, apiConfiguration, oidcConfiguration } = await client.call(Made, call);
  return { appId: applicationId, ...(apiConfiguration ?? oidcConfiguration) };
}

export async function updateByConnect(
  client: ZitadelClient,
  { project }: ProjectPlace,
  id: string,
  settings: Json,
  kind: 'api' | 'oidc',
): Promise<void> {
  const body = { projectId: project, applicationId: id, [`${kind}Configuration`]: newNames(settings) };
  await client.call(Nothing, {
    method: 'POST',
    path: `${SERVICE}/UpdateApplication`,
    body,
    right: 'project.app.write',
  });
}

export function secretByConnect(
  client: ZitadelClient,
  { project }: ProjectPlace,
  id: string,
): Promise<unknown> {
  const body = { projectId: project, applicationId: id };
  const call = {
    method: 'POST',
    path: `${SERVICE}/GenerateClientSecret`,
    body,
    right: 'project.app.write',
  } as const;
  return client.call(Nothing, call);
}

function newNames(settings: Json): Json {
  return named(settings, (name) => RENAMED[name] ?? name);
}

function oldNameOf(name: string): string {
  return Object.entries(RENAMED).find(([, renamed]) => renamed === name)?.[0] ?? name;
}

function named(settings: Json, nameOf: (name: string) => string): Json {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [nameOf(name), value]));
}

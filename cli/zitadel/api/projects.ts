import * as z from 'zod';
import { either, listed, paginated } from '../../../shared/zitadel/reader.ts';
import { Nothing, unlessUnchanged, type ZitadelClient } from './client.ts';

/** Where a project and its applications are. */
export interface ProjectPlace {
  readonly organization: string;
  readonly project: string;
}

const Project = z.object({
  id: z.string(),
  name: z.string(),
  state: z.string().default(''),
  projectRoleAssertion: z.boolean().default(false),
  projectRoleCheck: z.boolean().default(false),
  hasProjectCheck: z.boolean().default(false),
  privateLabelingSetting: z.string().default('PRIVATE_LABELING_SETTING_UNSPECIFIED'),
});

export type Project = z.infer<typeof Project>;
export type ProjectSettings = Omit<Project, 'id' | 'name' | 'state'>;

/** What an organisation owns. */
export function projectsOf(client: ZitadelClient, organization: string): Promise<readonly Project[]> {
  return either(
    () =>
      listed(client, Project, {
        path: '/management/v1/projects/_search',
        organization,
        right: 'project.read',
      }),
    () => projectsByConnect(client, organization),
  );
}

const CONNECT = '/zitadel.project.v2.ProjectService';

const ConnectProject = z.object({
  projectId: z.string(),
  organizationId: z.string().default(''),
  name: z.string(),
  state: z.string().default(''),
  projectRoleAssertion: z.boolean().default(false),
  authorizationRequired: z.boolean().default(false),
  projectAccessRequired: z.boolean().default(false),
  privateLabelingSetting: z.string().default('PRIVATE_LABELING_SETTING_UNSPECIFIED'),
});

async function projectsByConnect(client: ZitadelClient, organization: string): Promise<readonly Project[]> {
  const projects = await paginated(client, ConnectProject, {
    path: `${CONNECT}/ListProjects`,
    body: { filters: [{ organizationIdFilter: { organizationId: organization } }] },
    member: 'projects',
    right: 'project.read',
  });
  const owned = projects.filter((each) => each.organizationId === '' || each.organizationId === organization);
  return owned.map(({ projectId, authorizationRequired, projectAccessRequired, ...rest }) => ({
    ...rest,
    id: projectId,
    projectRoleCheck: authorizationRequired,
    hasProjectCheck: projectAccessRequired,
  }));
}

export async function createProject(
  client: ZitadelClient,
  organization: string,
  name: string,
  settings: ProjectSettings,
): Promise<string> {
  const right = 'project.create';
  return either(
    async () => {
      const body = { name, ...settings };
      const call = { method: 'POST', path: '/management/v1/projects', organization, body, right } as const;
      return (await client.call(z.object({ id: z.string() }), call)).id;
    },
    async () => {
      const { projectRoleCheck, hasProjectCheck, ...rest } = settings;
      const checks = { authorizationRequired: projectRoleCheck, projectAccessRequired: hasProjectCheck };
      const body = { organizationId: organization, name, ...rest, ...checks };
      const call = { method: 'POST', path: `${CONNECT}/CreateProject`, body, right } as const;
      return (await client.call(z.object({ projectId: z.string() }), call)).projectId;
    },
  );
}

/** Replaces all settings. */
export async function updateProject(
  client: ZitadelClient,
  { organization, project }: ProjectPlace,
  name: string,
  settings: ProjectSettings,
): Promise<void> {
  const right = 'project.write';
  const writing = either(
    () => {
      const path = `/management/v1/projects/${project}`;
      return client.call(Nothing, { method: 'PUT', path, organization, body: { name, ...settings }, right });
    },
    () => {
      const { projectRoleCheck, hasProjectCheck, ...rest } = settings;
      const checks = { authorizationRequired: projectRoleCheck, projectAccessRequired: hasProjectCheck };
      const body = { projectId: project, name, ...rest, ...checks };
      return client.call(Nothing, { method: 'POST', path: `${CONNECT}/UpdateProject`, body, right });
    },
  );
  await unlessUnchanged(writing);
}

const Role = z.object({
  key: z.string(),
  displayName: z.string().default(''),
  group: z.string().default(''),
});

export type Role = z.infer<typeof Role>;

export function rolesOf(
  client: ZitadelClient,
  { organization, project }: ProjectPlace,
): Promise<readonly Role[]> {
  const right = 'project.role.read';
  return either(
    () =>
      listed(client, Role, { path: `/management/v1/projects/${project}/roles/_search`, organization, right }),
    () =>
      paginated(client, Role, {
        path: `${CONNECT}/ListProjectRoles`,
        body: { projectId: project },
        ...{ member: 'projectRoles', right },
      }),
  );
}

export async function addRole(
  client: ZitadelClient,
  { organization, project }: ProjectPlace,
  { key, displayName, group }: Role,
): Promise<void> {
  const right = 'project.role.write';
  const body = { roleKey: key, displayName, group };
  await either(
    () =>
      client.call(Nothing, {
        method: 'POST',
        path: `/management/v1/projects/${project}/roles`,
        ...{ organization, body, right },
      }),
    () =>
      client.call(Nothing, {
        method: 'POST',
        path: `${CONNECT}/AddProjectRole`,
        body: { projectId: project, ...body },
        right,
      }),
  );
}

export async function updateRole(
  client: ZitadelClient,
  { organization, project }: ProjectPlace,
  { key, displayName, group }: Role,
): Promise<void> {
  const right = 'project.role.write';
  const writing = either(
    () =>
      client.call(Nothing, {
        method: 'PUT',
        path: `/management/v1/projects/${project}/roles/${encodeURIComponent(key)}`,
        ...{ organization, body: { displayName, group }, right },
      }),
    () =>
      client.call(Nothing, {
        method: 'POST',
        path: `${CONNECT}/UpdateProjectRole`,
        body: { projectId: project, roleKey: key, displayName, group },
        right,
      }),
  );
  await unlessUnchanged(writing);
}

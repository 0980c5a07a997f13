import type { Context, Hono } from 'hono';
import * as z from 'zod';
import type { ZitadelParts } from './app.ts';
import { page, proto, without, type Entry, type Json } from './settings.ts';
import { ORGANIZATION, UserRefused } from './users.ts';

const NewProject = z.looseObject({ name: z.string() });
const Search = z.object({
  query: z.unknown().optional(),
  queries: z.array(z.object({ nameQuery: z.object({ name: z.string() }).optional() })).default([]),
});
const Role = z.object({
  roleKey: z.string().optional(),
  displayName: z.string().default(''),
  group: z.string().default(''),
});
const App = z.looseObject({ name: z.string() });
const Config = z.looseObject({});

/** The first of each enumeration, which protobuf leaves out. */
const FIRST = [
  ...['OIDC_APP_TYPE_WEB', 'OIDC_AUTH_METHOD_TYPE_BASIC', 'OIDC_TOKEN_TYPE_BEARER'],
  ...['API_AUTH_METHOD_TYPE_BASIC', 'PRIVATE_LABELING_SETTING_UNSPECIFIED'],
];
const KINDS = { api: 'apiConfig', oidc: 'oidcConfig' } as const;

/** Projects, roles and applications by the management API. */
export function projectRoutes(app: Hono, parts: ZitadelParts): void {
  const { settings, grants, organizations } = parts;
  /** The organisation of a request; throws UserRefused. */
  const organizationOf = (c: Context): string => {
    const id = c.req.header('x-zitadel-orgid') ?? ORGANIZATION;
    if (id !== ORGANIZATION && !organizations.all.has(id))
      throw new UserRefused(403, "Organisation doesn't exist", 'AUTH-Bs7Ds');
    return id;
  };
  app.get('/management/v1/orgs/me', (c) => {
    const id = organizationOf(c);
    const name = organizations.nameOf(id);
    const primaryDomain = `${name.toLowerCase()}.localhost`;
    return c.json({
      org: { id, details: settings.details('change', id), state: 'ORG_STATE_ACTIVE', name, primaryDomain },
    });
  });
  app.post('/management/v1/projects', async (c) => {
    const { name, ...rest } = NewProject.parse(await c.req.json());
    const organization = organizationOf(c);
    const id = grants.createProject(organization, name);
    settings.now.projects.set(id, proto({ name, organization, ...rest }, FIRST));
    return c.json({ id, details: settings.details('creation', organization) });
  });
  app.put('/management/v1/projects/:id', async (c) => {
    const id = c.req.param('id');
    const before = settings.now.projects.get(id);
    const { organization } = before ?? {};
    const after = proto({ organization, ...NewProject.parse(await c.req.json()) }, FIRST);
    if (JSON.stringify(before) === JSON.stringify(after))
      throw new UserRefused(400, 'Errors.NoChangesFound', 'COMMAND-2M0fs');
    settings.now.projects.set(id, after);
    return c.json({ details: settings.details('change') });
  });
  app.post('/management/v1/projects/_search', async (c) => {
    const { query, queries } = Search.parse(await c.req.json());
    const organization = organizationOf(c);
    const found = [...settings.view('projects')]
      .filter(([, each]) => each['organization'] === organization)
      .filter(([, { name }]) => queries.every(({ nameQuery }) => (nameQuery?.name ?? name) === name))
      .map(([id, each]) => {
        return {
          id,
          details: settings.details('change', organization),
          ...without(each, 'organization'),
          state: 'PROJECT_STATE_ACTIVE',
        };
      });
    return c.json(page(found, query));
  });
  roleRoutes(app, parts);
  applicationRoutes(app, parts);
}

function roleRoutes(app: Hono, { settings, grants, projections }: ZitadelParts): void {
  app.post('/management/v1/projects/:id/roles', async (c) => {
    const { roleKey = '', displayName, group } = Role.parse(await c.req.json());
    grants.addRole(c.req.param('id'), roleKey, displayName, group);
    return c.json({ details: settings.details('creation') });
  });
  app.put('/management/v1/projects/:id/roles/:key', async (c) => {
    const { displayName, group } = Role.parse(await c.req.json());
    grants.changeRole(c.req.param('id'), c.req.param('key'), displayName, group);
    return c.json({ details: settings.details('change') });
  });
  app.post('/management/v1/projects/:id/roles/_search', async (c) => {
    const { query } = Search.parse(await c.req.json());
    const roles = [...projections.of('grants').project(c.req.param('id')).roles].map(([key, displayName]) => {
      const group = grants.groupOf(c.req.param('id'), key);
      return { key, details: settings.details('change'), ...proto({ displayName, group }) };
    });
    return c.json(page(roles, query));
  });
}

function applicationRoutes(app: Hono, { settings, grants }: ZitadelParts): void {
  const appsOf = (project: string): Entry[] => {
    const apps = settings.now.apps.get(grants.project(project).id) ?? [];
    settings.now.apps.set(project, apps);
    return apps;
  };
  const find = (project: string, id: string): Entry => {
    const found = appsOf(project).find((each) => each.id === id);
    if (found === undefined) throw new UserRefused(404, 'Application not found', 'COMMAND-28m9fs');
    return found;
  };
  const configOf = (found: Entry, kind: keyof typeof KINDS): Json =>
    Config.parse(found.value[KINDS[kind]] ?? {});
  for (const kind of ['api', 'oidc'] as const) {
    app.post(`/management/v1/projects/:id/apps/${kind}`, async (c) => {
      const { name, ...config } = App.parse(await c.req.json());
      const apps = appsOf(c.req.param('id'));
      if (apps.some(({ value }) => value['name'] === name))
        throw new UserRefused(409, 'Application already exists', 'V3-DKcYh');
      const [id, clientId] = [settings.nextId(), settings.nextId()];
      apps.push({
        id,
        value: { state: 'APP_STATE_ACTIVE', name, [KINDS[kind]]: { clientId, ...proto(config, FIRST) } },
      });
      const isPublic = ['OIDC_AUTH_METHOD_TYPE_NONE', 'API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT'];
      const secret = isPublic.includes(String(config['authMethodType']))
        ? {}
        : { clientSecret: settings.secret() };
      return c.json({ appId: id, details: settings.details('creation'), clientId, ...secret });
    });
    app.put(`/management/v1/projects/:id/apps/:app/${kind}_config`, async (c) => {
      const found = find(c.req.param('id'), c.req.param('app'));
      const { clientId } = configOf(found, kind);
      const config = Config.parse(await c.req.json());
      found.value = { ...found.value, [KINDS[kind]]: { clientId, ...proto(config, FIRST) } };
      return c.json({ details: settings.details('change') });
    });
    app.post(`/management/v1/projects/:id/apps/:app/${kind}_config/_generate_client_secret`, (c) => {
      find(c.req.param('id'), c.req.param('app'));
      return c.json({ clientSecret: settings.secret(), details: settings.details('change') });
    });
  }
  app.post('/management/v1/projects/:id/apps/_search', async (c) => {
    const all = (settings.view('apps').get(c.req.param('id')) ?? []).map(({ id, value }) => {
      return { id, details: settings.details('change'), ...value };
    });
    return c.json(page(all, Search.parse(await c.req.json()).query));
  });
  app.post('/zitadel.application.v2.ApplicationService/CreateApplication', async (c) => {
    const request = z
      .object({ projectId: z.string(), name: z.string(), apiConfiguration: Config })
      .parse(await c.req.json());
    const [id, clientId] = [settings.nextId(), settings.nextId()];
    appsOf(request.projectId).push({
      id,
      value: { state: 'APP_STATE_ACTIVE', name: request.name, apiConfig: { clientId } },
    });
    const creationDate = new Date().toISOString();
    return c.json({
      applicationId: id,
      creationDate,
      apiConfiguration: { clientId, clientSecret: settings.secret() },
    });
  });
}

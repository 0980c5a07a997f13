import type { Context, Hono } from 'hono';
import * as z from 'zod';
import type { ZitadelParts } from './app.ts';
import type { Authorization } from './grants.ts';
import { connectProblem } from './problems.ts';
import { UserRefused } from './users.ts';

const NewProject = z.object({ organizationId: z.string(), name: z.string() });
const Administrator = z.object({ userId: z.string() });
const NewRole = z.object({ projectId: z.string(), roleKey: z.string(), displayName: z.string() });
const RoleList = z.object({
  projectId: z.string(),
  filters: z.array(z.object({ roleKeyFilter: z.object({ key: z.string() }) })).default([]),
});
const NewAuthorization = z.object({
  userId: z.string(),
  projectId: z.string(),
  organizationId: z.string(),
  roleKeys: z.array(z.string()).min(1),
});
const Change = z.object({ id: z.string(), roleKeys: z.array(z.string()).min(1) });
const Removal = z.object({ id: z.string() });
const AuthorizationList = z.object({
  filters: z
    .array(
      z.object({
        inUserIds: z.object({ ids: z.array(z.string()) }).optional(),
        projectId: z.object({ id: z.string() }).optional(),
      }),
    )
    .default([]),
});

/** Services of the v2 API that have no REST, by unary calls of Connect. */
export function connectRoutes(app: Hono, { users, grants, projections, settings, now }: ZitadelParts): void {
  const date = (): string => new Date(now()).toISOString();
  const unary = <T>(method: string, shape: z.ZodType<T>, answer: (request: T) => object): void => {
    app.post(`/zitadel.${method}`, async (c) => {
      try {
        return c.json(answer(shape.parse(await c.req.json())));
      } catch (error) {
        return refusal(c, error);
      }
    });
  };
  unary('project.v2.ProjectService/CreateProject', NewProject, ({ organizationId, name }) => {
    const projectId = grants.createProject(organizationId, name);
    settings.now.projects.set(projectId, { name, organization: organizationId });
    return { projectId, creationDate: date() };
  });
  unary('project.v2.ProjectService/AddProjectRole', NewRole, ({ projectId, roleKey, displayName }) => {
    grants.addRole(projectId, roleKey, displayName);
    return { creationDate: date() };
  });
  unary('project.v2.ProjectService/ListProjectRoles', RoleList, ({ projectId, filters }) => {
    const roles = [...projections.of('grants').project(projectId).roles].filter(([key]) =>
      filters.every(({ roleKeyFilter }) => roleKeyFilter.key === key),
    );
    const projectRoles = roles.map(([key, displayName]) => ({ projectId, key, displayName }));
    return listed('projectRoles', projectRoles);
  });
  unary(
    'internal_permission.v2.InternalPermissionService/CreateAdministrator',
    Administrator,
    ({ userId }) => {
      if (settings.now.members.some((each) => each.userId === userId))
        throw new UserRefused(409, 'Errors.Instance.Member.AlreadyExists', 'INSTA-pFDwe');
      return { creationDate: date() };
    },
  );
  const service = 'authorization.v2.AuthorizationService';
  unary(`${service}/CreateAuthorization`, NewAuthorization, (request) => {
    if (!users.has(request.userId) || users.get(request.userId).state === 'removed')
      throw new UserRefused(400, 'User could not be found', 'COMMAND-4f8sg');
    return { id: grants.authorize(request).id, creationDate: date() };
  });
  unary(`${service}/UpdateAuthorization`, Change, ({ id, roleKeys }) => {
    grants.update(id, roleKeys);
    return { changeDate: date() };
  });
  unary(`${service}/DeleteAuthorization`, Removal, ({ id }) => {
    grants.delete(id);
    return { deletionDate: date() };
  });
  unary(`${service}/ListAuthorizations`, AuthorizationList, ({ filters }) => {
    const ids = filters.flatMap(({ inUserIds }) => inUserIds?.ids ?? []);
    const projects = filters.flatMap(({ projectId }) => projectId?.id ?? []);
    const view = projections.of('grants');
    const found = ids
      .flatMap((id) => view.of(id))
      .filter(({ projectId }) => projects.every((each) => each === projectId));
    return listed('authorizations', found.map(shown));
  });
}

/** Protobuf leaves out a list that is empty, and a total of 0. */
function listed(name: string, found: readonly object[]): object {
  if (found.length === 0) return { pagination: { appliedLimit: '100' } };
  return { pagination: { totalResult: String(found.length), appliedLimit: '100' }, [name]: found };
}

function shown({ id, userId, projectId, organizationId, roleKeys }: Authorization): object {
  return {
    ...{ id, state: 'STATE_ACTIVE', user: { id: userId }, project: { id: projectId } },
    organization: { id: organizationId },
    roles: roleKeys.map((key) => ({ key, displayName: key })),
  };
}

function refusal(c: Context, error: unknown): Response {
  if (error instanceof UserRefused)
    return c.json(connectProblem(error.status, error.reason, error.id), error.status);
  if (error instanceof z.ZodError) return c.json({ code: 'invalid_argument', message: error.message }, 400);
  throw error;
}

import * as z from 'zod';
import type { Failure, Membership } from '../../ports/directory.ts';
import {
  asFailure,
  connect,
  READ_MS,
  WRITE_MS,
  type Asked,
  type ZitadelFault,
  type ZitadelParts,
} from './client.ts';
import { userOf } from './user.ts';
import type { Authorization } from './written-roles.ts';
import { pause } from '../../ports/runtime.ts';

const Listed = z.object({
  authorizations: z
    .array(
      z.looseObject({
        id: z.string(),
        user: z.looseObject({ id: z.string() }),
        organization: z.looseObject({ id: z.string() }).optional(),
        roles: z.array(z.looseObject({ key: z.string() })).default([]),
      }),
    )
    .default([]),
});

type Authorizations =
  { readonly outcome: 'authorizations'; readonly byUser: ReadonlyMap<string, Authorization> } | Failure;

const IDS_IN_FILTER = 100;

/** What users hold in the project of ZITADEL_PROJECT_ID, granted by the organisation of ZITADEL_ORGANIZATION. */
export async function authorizationsOf(
  { caller, config, written }: ZitadelParts,
  ids: readonly string[],
): Promise<Authorizations> {
  const byUser = new Map<string, Authorization>();
  for (let from = 0; from < ids.length; from += IDS_IN_FILTER) {
    const some = ids.slice(from, from + IDS_IN_FILTER);
    const body = {
      pagination: { limit: IDS_IN_FILTER * 2 },
      filters: [{ inUserIds: { ids: some } }, { projectId: { id: config.projectId } }],
    };
    const asked = await connect(
      caller,
      'authorization.v2.AuthorizationService/ListAuthorizations',
      body,
      READ_MS,
    );
    if (asked.outcome !== 'ok') return asFailure(asked);
    const listed = Listed.safeParse(asked.body).data;
    if (listed === undefined)
      return { outcome: 'failed', reason: 'not the shape of a list of authorizations' };
    for (const { id, user, organization, roles } of listed.authorizations)
      if (organization === undefined || organization.id === config.organization)
        byUser.set(user.id, { id, roles: roles.map(({ key }) => key) });
  }
  for (const id of ids) {
    const authorization = written.over(id, byUser.get(id));
    if (authorization === undefined) byUser.delete(id);
    else byUser.set(id, authorization);
  }
  return { outcome: 'authorizations', byUser };
}

const TOGETHER = 8;

/** Gives or takes one role of the project. A role that a user has, or has not, already costs no call. */
export async function changeRole(
  parts: ZitadelParts,
  ids: readonly string[],
  role: string,
  give: boolean,
): Promise<Membership | Failure> {
  const held = await authorizationsOf(parts, ids);
  if (held.outcome !== 'authorizations') return held;
  const absent: string[] = [];
  for (let from = 0; from < ids.length; from += TOGETHER) {
    const some = ids.slice(from, from + TOGETHER);
    const done = await Promise.all(
      some.map(async (id) => changeOne(parts, id, held.byUser.get(id), role, give)),
    );
    for (const [at, result] of done.entries()) {
      if (result.outcome === 'no-user') absent.push(some[at] ?? '');
      else if (result.outcome === 'no-role') return { outcome: 'no-group' };
      else if (result.outcome !== 'ok') return asFailure(result);
    }
  }
  return { outcome: 'done', absent };
}

type Changed = Asked | { readonly outcome: 'no-user' } | { readonly outcome: 'no-role' };

/** How often what is listed is read again after a conflict, and how long before. */
const LOOKS = 8;
const PAUSE_MS = 250;

async function changeOne(
  parts: ZitadelParts,
  userId: string,
  listed: Authorization | undefined,
  role: string,
  give: boolean,
): Promise<Changed> {
  let held = listed;
  for (let look = 0; ; look++) {
    if ((held?.roles.includes(role) ?? false) === give) return { outcome: 'ok', body: null };
    const asked = await write(parts, userId, held, role, give);
    if (asked.outcome !== 'fault' || asked.status >= 500) return asked;
    // There, or gone, against what was listed: the list lags behind what was written.
    if (asked.status !== 409 && !(asked.status === 404 && held !== undefined))
      return judged(parts, userId, asked);
    parts.written.forget(userId);
    if (look === LOOKS) return { outcome: 'busy', reason: asked.reason, retryAfterSeconds: null };
    await pause(PAUSE_MS);
    const again = await authorizationsOf(parts, [userId]);
    if (again.outcome !== 'authorizations') return again;
    held = again.byUser.get(userId);
  }
}

async function judged(parts: ZitadelParts, userId: string, fault: ZitadelFault): Promise<Changed> {
  const user = await userOf(parts, userId);
  if (user.outcome === 'absent') return { outcome: 'no-user' };
  return /role/i.test(fault.reason) ? { outcome: 'no-role' } : fault;
}

const Created = z.object({ id: z.string() });

async function write(
  { caller, config, written }: ZitadelParts,
  userId: string,
  held: Authorization | undefined,
  role: string,
  give: boolean,
): Promise<Asked> {
  const service = 'authorization.v2.AuthorizationService' as const;
  const { projectId, organization: organizationId } = config;
  if (held === undefined) {
    const roles = [role];
    const body = { userId, projectId, organizationId, roleKeys: roles };
    const asked = await connect(caller, `${service}/CreateAuthorization`, body, WRITE_MS);
    const id = asked.outcome === 'ok' ? Created.safeParse(asked.body).data?.id : undefined;
    if (id !== undefined) written.note(userId, { id, roles });
    return asked;
  }
  const { id } = held;
  const roles = give ? [...held.roles, role] : held.roles.filter((each) => each !== role);
  const asked = await (roles.length === 0
    ? connect(caller, `${service}/DeleteAuthorization`, { id }, WRITE_MS)
    : connect(caller, `${service}/UpdateAuthorization`, { id, roleKeys: roles }, WRITE_MS));
  if (asked.outcome === 'ok') written.note(userId, roles.length === 0 ? null : { id, roles });
  return asked;
}

import * as z from 'zod';
import { Refused, type ZitadelClient } from './client.ts';
import { instanceMembers } from './instance.ts';

const PAGE = 100;

const Named = z.object({ id: z.string() });

const Administrators = z.object({
  pagination: z.object({ totalResult: z.string().default('0') }).default({ totalResult: '0' }),
  administrators: z
    .array(
      z.object({
        user: Named,
        organization: Named.optional(),
        project: Named.optional(),
        projectGrant: Named.optional(),
        roles: z.array(z.string()).default([]),
      }),
    )
    .default([]),
});

export interface Rights {
  /** By user: roles, of the instance as they are, else with what they are of, as in `ORG_OWNER of organisation 42`. */
  readonly byUser: ReadonlyMap<string, readonly string[]>;
  /** False: this release lists those of the instance alone. */
  readonly complete: boolean;
}

/** Roles of administrators, of the instance and what is below it. */
export async function rightsByUser(client: ZitadelClient): Promise<Rights> {
  const byUser = new Map<string, readonly string[]>();
  const add = (user: string, roles: readonly string[]): void => {
    byUser.set(user, [...(byUser.get(user) ?? []), ...roles]);
  };
  for (const { userId, roles } of await instanceMembers(client)) add(userId, roles);
  try {
    for (const { user, roles, organization, project, projectGrant } of await administrators(client)) {
      const what = placeOf({ organization, project, projectGrant });
      if (what !== undefined)
        add(
          user.id,
          roles.map((role) => `${role} of ${what}`),
        );
    }
    return { byUser, complete: true };
  } catch (error) {
    if (error instanceof Refused && error.unknownRoute) return { byUser, complete: false };
    throw error;
  }
}

type Places = Pick<Administrator, 'organization' | 'project' | 'projectGrant'>;
type Administrator = z.infer<typeof Administrators>['administrators'][number];

/** Undefined: of the instance, whose members are listed apart. */
function placeOf({ organization, project, projectGrant }: Places): string | undefined {
  if (projectGrant !== undefined) return `project grant ${projectGrant.id}`;
  if (project !== undefined) return `project ${project.id}`;
  return organization === undefined ? undefined : `organisation ${organization.id}`;
}

async function administrators(client: ZitadelClient): Promise<readonly Administrator[]> {
  const all: Administrator[] = [];
  for (;;) {
    const found = await client.call(Administrators, {
      method: 'POST',
      path: '/zitadel.internal_permission.v2.InternalPermissionService/ListAdministrators',
      body: { pagination: { offset: String(all.length), limit: PAGE } },
      right: 'org.member.read',
    });
    all.push(...found.administrators);
    if (found.administrators.length === 0 || all.length >= Number(found.pagination.totalResult)) return all;
  }
}

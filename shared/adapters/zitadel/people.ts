import * as z from 'zod';
import { groupUuid } from '../../identity/tenant-groups.ts';
import type { DirectoryTenant, Failure, Page } from '../../ports/directory.ts';
import { ask, asFailure, organizationOf, READ_MS, type ZitadelParts } from './client.ts';
import { authorizationsOf } from './roles.ts';
import { toPerson, User, userOf, type ZitadelPerson } from './user.ts';

const Listed = z.object({
  details: z.looseObject({ totalResult: z.coerce.number().default(0) }).default({ totalResult: 0 }),
  result: z.array(z.unknown()).default([]),
});

interface Found {
  readonly outcome: 'listed';
  readonly people: readonly ZitadelPerson[];
  /** Machines included. */
  readonly count: number;
  readonly total: number;
}

async function search(
  parts: ZitadelParts,
  query: Readonly<Record<string, unknown>>,
  queries: readonly Readonly<Record<string, unknown>>[],
): Promise<Found | Failure> {
  const body = { query, sortingColumn: 'USER_FIELD_NAME_CREATION_DATE', queries };
  const asked = await ask(parts.caller, { method: 'POST', path: '/v2/users', body, timeoutMs: READ_MS * 3 });
  if (asked.outcome !== 'ok') return asFailure(asked);
  const listed = Listed.safeParse(asked.body).data;
  if (listed === undefined) return { outcome: 'failed', reason: 'not the shape of a list of users' };
  const people = listed.result.flatMap((each) => {
    const user = User.safeParse(each).data;
    return (user && toPerson(user, parts.config.issuer)) ?? [];
  });
  return { outcome: 'listed', people, count: listed.result.length, total: listed.details.totalResult };
}

const IDS_IN_QUERY = 100;

/** Those of the ids that exist, with their roles. One alone is read from the source, several from what Zitadel projects of it. */
export async function findPeople(
  parts: ZitadelParts,
  ids: readonly string[],
): Promise<{ readonly outcome: 'found'; readonly people: readonly ZitadelPerson[] } | Failure> {
  const [only] = ids;
  if (ids.length === 1 && only !== undefined) {
    const one = await userOf(parts, only);
    if (one.outcome === 'person') return withRoles(parts, [one.person]);
    return one.outcome === 'absent' || one.outcome === 'machine' ? { outcome: 'found', people: [] } : one;
  }
  const people: ZitadelPerson[] = [];
  for (let from = 0; from < ids.length; from += IDS_IN_QUERY) {
    const userIds = ids.slice(from, from + IDS_IN_QUERY);
    const found = await search(parts, { limit: IDS_IN_QUERY, asc: true }, [{ inUserIdsQuery: { userIds } }]);
    if (found.outcome !== 'listed') return found;
    const some = await withRoles(parts, found.people);
    if (some.outcome !== 'found') return some;
    people.push(...some.people);
  }
  return { outcome: 'found', people };
}

async function withRoles(
  parts: ZitadelParts,
  people: readonly ZitadelPerson[],
): Promise<{ readonly outcome: 'found'; readonly people: readonly ZitadelPerson[] } | Failure> {
  const { issuer, organization, projectId } = parts.config;
  if (organization === null || projectId === null || people.length === 0) return { outcome: 'found', people };
  const found = await authorizationsOf(
    parts,
    people.map(({ id }) => id),
  );
  if (found.outcome !== 'authorizations') return found;
  return {
    outcome: 'found',
    people: people.map((person) => {
      const roles = found.byUser.get(person.id)?.roles ?? [];
      return {
        ...person,
        groups: [...person.groups, ...roles.map((role) => groupUuid(issuer, organization, role))],
      };
    }),
  };
}

const PAGE = 100;

export async function listPeople(
  parts: ZitadelParts,
  tenant: Pick<DirectoryTenant, 'id'> | null,
  from: string | null,
): Promise<Page | Failure> {
  const offset = Number(from ?? '0');
  const where = organizationOf(parts.config, tenant?.id ?? null);
  const queries = [
    { typeQuery: { type: 'TYPE_HUMAN' } },
    ...(where === null ? [] : [{ organizationIdQuery: { organizationId: where } }]),
  ];
  const found = await search(parts, { offset: String(offset), limit: PAGE, asc: true }, queries);
  if (found.outcome !== 'listed') return found;
  const some = await withRoles(parts, found.people);
  if (some.outcome !== 'found') return some;
  const end = offset + found.count;
  const last = found.count === 0 || end >= found.total;
  return { outcome: 'page', people: some.people, next: last ? null : String(end) };
}

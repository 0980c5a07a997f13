import * as z from 'zod';
import type { User, Users } from './users.ts';
import { toUserMessage } from './wire.ts';

const METHODS = ['TEXT_QUERY_METHOD_EQUALS', 'TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE'] as const;
const method = z.enum(METHODS).default(METHODS[0]);

const Query = z.union([
  z.object({ inUserIdsQuery: z.object({ userIds: z.array(z.string()) }) }),
  z.object({ organizationIdQuery: z.object({ organizationId: z.string() }) }),
  z.object({ typeQuery: z.object({ type: z.enum(['TYPE_HUMAN', 'TYPE_MACHINE']) }) }),
  z.object({ emailQuery: z.object({ emailAddress: z.string(), method }) }),
  z.object({ loginNameQuery: z.object({ loginName: z.string(), method }) }),
  z.object({ userNameQuery: z.object({ userName: z.string(), method }) }),
]);
type Query = z.output<typeof Query>;

const ListUsers = z.object({
  query: z
    .object({ offset: z.coerce.number().default(0), limit: z.number().default(100) })
    .default({ offset: 0, limit: 100 }),
  queries: z.array(Query).default([]),
});

/** ListUsers, in the order of creation. Without results protobuf leaves out both list and total. */
export function listUsers(users: Pick<Users, 'ids' | 'has' | 'get'>, body: unknown): object {
  const { query, queries } = ListUsers.parse(body);
  const ids = idsIn(queries) ?? [...users.ids];
  const found = ids
    .flatMap((id) => (users.has(id) ? [users.get(id)] : []))
    .filter((user) => user.state !== 'removed' && queries.every((each) => fits(user, each)));
  const timestamp = found.at(-1)?.events.at(-1)?.creationDate ?? '2026-01-01T00:00:00Z';
  if (found.length === 0) return { details: { timestamp } };
  const page = found.slice(query.offset, query.offset + query.limit);
  return {
    details: { totalResult: String(found.length), timestamp },
    ...(page.length > 0 && { result: page.map(toUserMessage) }),
  };
}

function idsIn(queries: readonly Query[]): readonly string[] | undefined {
  for (const query of queries) if ('inUserIdsQuery' in query) return query.inUserIdsQuery.userIds;
  return undefined;
}

function fits(user: User, query: Query): boolean {
  if ('inUserIdsQuery' in query) return query.inUserIdsQuery.userIds.includes(user.id);
  if ('organizationIdQuery' in query) return query.organizationIdQuery.organizationId === user.organization;
  if ('typeQuery' in query) return (query.typeQuery.type === 'TYPE_HUMAN') === (user.email !== undefined);
  if ('emailQuery' in query)
    return same(user.email ?? '', query.emailQuery.emailAddress, query.emailQuery.method);
  if ('loginNameQuery' in query)
    return same(user.userName, query.loginNameQuery.loginName, query.loginNameQuery.method);
  return same(user.userName, query.userNameQuery.userName, query.userNameQuery.method);
}

function same(one: string, other: string, by: (typeof METHODS)[number]): boolean {
  return by === METHODS[0] ? one === other : one.toLowerCase() === other.toLowerCase();
}

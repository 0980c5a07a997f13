import * as z from 'zod';
import type { ZitadelClient } from './client.ts';

const Typed = z.object({
  events: z
    .array(
      z.object({
        creationDate: z.string().default(''),
        type: z.object({ type: z.string() }),
        payload: z.looseObject({}).prefault({}),
      }),
    )
    .default([]),
});

export interface Made {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Of the payload: the id. */
  readonly member: string;
  readonly aggregate?: string;
}

const LOOKED_AT = 100;

/**
 * Ids that the newest events of some types have made and not removed. The event store is always current, while lists are projected from
 * it and may lag behind.
 */
export async function madeIds(
  client: ZitadelClient,
  { added, removed, member, aggregate }: Made,
): Promise<readonly string[]> {
  const { events } = await client.call(Typed, {
    method: 'POST',
    path: '/admin/v1/events/_search',
    body: {
      ...{ limit: LOOKED_AT, eventTypes: [...added, ...removed] },
      ...(aggregate !== undefined && { aggregateId: aggregate }),
    },
    right: 'events.read',
  });
  const idsOf = (types: readonly string[]): readonly unknown[] =>
    events.flatMap(({ type, payload }) => (types.includes(type.type) ? [payload[member]] : []));
  const gone = idsOf(removed);
  return idsOf(added).flatMap((id) =>
    typeof id === 'string' && id !== '' && !gone.includes(id) ? [id] : [],
  );
}

/** As many as Zitadel returns at once. */
const MOST = 1_000;

export interface UserEvent {
  readonly type: string;
  /** RFC 3339. */
  readonly at: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** The newest events of these types of one user, the newest first; 1,000 at most. */
export async function userEvents(
  client: ZitadelClient,
  user: string,
  types: readonly string[],
): Promise<readonly UserEvent[]> {
  const { events } = await client.call(Typed, {
    method: 'POST',
    path: '/admin/v1/events/_search',
    body: { limit: MOST, asc: false, aggregateId: user, eventTypes: types },
    right: 'events.read',
  });
  return events.map(({ type, creationDate, payload }) => ({ type: type.type, at: creationDate, payload }));
}

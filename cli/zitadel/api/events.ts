import * as z from 'zod';
import type { ZitadelClient } from './client.ts';

const Events = z.object({
  events: z
    .array(z.object({ aggregate: z.object({ id: z.string() }), payload: z.looseObject({}).prefault({}) }))
    .default([]),
});

const LOOKED_AT = 50;

/**
 * Ids in the newest events of these types. The event store is always current, while lists are projected from it and may lag behind.
 * `member`: of the payload.
 */
export async function newestIds(
  client: ZitadelClient,
  {
    types,
    member,
    aggregate,
  }: { readonly types: readonly string[]; readonly member: string; readonly aggregate?: string },
): Promise<readonly string[]> {
  const { events } = await client.call(Events, {
    method: 'POST',
    path: '/admin/v1/events/_search',
    body: { limit: LOOKED_AT, eventTypes: types, ...(aggregate !== undefined && { aggregateId: aggregate }) },
    right: 'events.read',
  });
  return events.flatMap(({ payload }) => {
    const id = payload[member];
    return typeof id === 'string' ? [id] : [];
  });
}

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

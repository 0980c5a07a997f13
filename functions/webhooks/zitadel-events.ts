import * as z from 'zod';
import { ProviderUnavailable } from '../../shared/errors.ts';
import { fetchJson } from '../../shared/keys/fetch-json.ts';
import type { Fetch } from '../../shared/ports.ts';
import { HANDLED_EVENT_TYPES } from './kinds.ts';

/** An event as Zitadel's admin API tells it (zitadel.event.v1.Event), in the form of a delivery: what parseEvent takes. */
export interface ListedEvent {
  readonly aggregateID: string;
  readonly sequence: number;
  readonly event_type: string;
  readonly created_at: string;
  readonly [field: string]: unknown;
}

export interface EventSource {
  readonly instanceId: string;
  /** The oldest events of users created after this time, in the order of commits; at most PAGE. */
  after(time: Date): Promise<readonly ListedEvent[]>;
}

export interface ZitadelApi {
  readonly fetch: Fetch;
  readonly url: string;
  /** Of a service account with IAM_OWNER_VIEWER or IAM_OWNER. */
  readonly token: string;
}

/** Zitadel answers with 1,000 at most; less keeps an answer small. */
export const PAGE = 200;
const EXCHANGE = { timeoutMs: 10_000, maxBytes: 8 * 1024 * 1024 };

const Instance = z.object({ instance: z.object({ id: z.string().min(1) }) });

const Event = z.object({
  aggregate: z.object({
    id: z.string(),
    type: z.object({ type: z.string() }),
    resourceOwner: z.string().optional(),
  }),
  sequence: z.coerce.number().int(),
  creationDate: z.iso.datetime({ offset: true }),
  payload: z.unknown().optional(),
  type: z.object({ type: z.string() }),
});
const Events = z.object({ events: z.array(Event).default([]) });

/** The events that a webhook would have been told. Throws ProviderUnavailable, as its methods do. */
export async function openEventSource(api: ZitadelApi): Promise<EventSource> {
  const { instance } = await ask(api, '/admin/v1/instances/me', Instance);
  return {
    instanceId: instance.id,
    async after(time) {
      // ListEvents: with `asc`, `from` is the time after which events were created.
      const query = {
        asc: true,
        limit: PAGE,
        from: time.toISOString(),
        aggregateTypes: ['user'],
        eventTypes: HANDLED_EVENT_TYPES,
      };
      const { events } = await ask(api, '/admin/v1/events/_search', Events, {
        method: 'POST',
        body: JSON.stringify(query),
      });
      return events.map((event) => asDelivery(event, instance.id));
    },
  };
}

async function ask<T>(
  api: ZitadelApi,
  path: string,
  shape: z.ZodType<T>,
  init: RequestInit = {},
): Promise<T> {
  const url = api.url + path;
  const headers = { authorization: `Bearer ${api.token}`, 'content-type': 'application/json' };
  const answer = shape.safeParse(
    await fetchJson(api.fetch, url, { ...EXCHANGE, init: { ...init, headers } }),
  );
  if (!answer.success) throw new ProviderUnavailable(`${url}: not the shape of Zitadel's API`);
  return answer.data;
}

function asDelivery(event: z.output<typeof Event>, instanceID: string): ListedEvent {
  return {
    instanceID,
    aggregateID: event.aggregate.id,
    aggregateType: event.aggregate.type.type,
    resourceOwner: event.aggregate.resourceOwner,
    sequence: event.sequence,
    event_type: event.type.type,
    created_at: event.creationDate,
    event_payload: event.payload,
  };
}

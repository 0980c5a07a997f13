import * as z from 'zod';
import { ProviderUnavailable } from '../../../shared/errors.ts';
import { fetchJson } from '../../../shared/keys/fetch-json.ts';
import type { Fetch } from '../../../shared/ports/runtime.ts';
import { HANDLED_EVENT_TYPES } from '../event.ts';

/** An event of Zitadel's admin API (zitadel.event.v1.Event) in the form of a delivery, for parseEvent to check. */
export type ListedEvent = Readonly<Record<string, unknown>>;

export interface EventSource {
  readonly instanceId: string;
  /** The oldest handled events from `from` on and before `until`, in commit order; at most PAGE. */
  between(from: Date, until?: Date): Promise<readonly ListedEvent[]>;
}

export interface ZitadelApi {
  readonly fetch: Fetch;
  readonly url: string;
  /** Of a service account with IAM_OWNER_VIEWER or IAM_OWNER. */
  readonly token: string;
}

/** Zitadel returns at most 1,000; fewer keep the response small. */
const PAGE = 200;
const EXCHANGE = { timeoutMs: 10_000, maxBytes: 8 * 1024 * 1024 };

const Instance = z.object({ instance: z.object({ id: z.string().min(1) }) });

/** Without a result, the response is `{}`. Events are parsed one by one: a malformed one must not hide the others. */
const Events = z.object({ events: z.array(z.unknown()).default([]) });

/** Search criteria besides time. */
export interface Criteria {
  readonly eventTypes: readonly string[];
  readonly resourceOwner?: string;
}

/** Events that a webhook would have received. Throws ProviderUnavailable, as its methods do. */
export async function openEventSource(
  api: ZitadelApi,
  criteria: Criteria = { eventTypes: HANDLED_EVENT_TYPES },
): Promise<EventSource> {
  const { instance } = await ask(api, '/admin/v1/instances/me', Instance);
  return {
    instanceId: instance.id,
    async between(from, until) {
      const since = justBefore(from);
      const query = {
        asc: true,
        limit: PAGE,
        ...criteria,
        aggregateTypes: ['user', 'org'],
        ...(until === undefined ? { from: since } : { range: { since, until: until.toISOString() } }),
      };
      const { events } = await ask(api, '/admin/v1/events/_search', Events, {
        method: 'POST',
        body: JSON.stringify(query),
      });
      return events.map((event) => asDelivery(event, instance.id));
    },
  };
}

/** Zitadel's `from` and `range` are exclusive, and dates have microseconds. */
function justBefore(moment: Date): string {
  return new Date(moment.getTime() - 1).toISOString().replace('Z', '999Z');
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

/** zitadel.event.v1.Event */
function asDelivery(event: unknown, instanceID: string): ListedEvent {
  const aggregate = member(event, 'aggregate');
  return {
    instanceID,
    aggregateID: member(aggregate, 'id'),
    aggregateType: member(member(aggregate, 'type'), 'type'),
    resourceOwner: member(aggregate, 'resourceOwner'),
    sequence: member(event, 'sequence'),
    event_type: member(member(event, 'type'), 'type'),
    created_at: member(event, 'creationDate'),
    event_payload: member(event, 'payload'),
  };
}

function member(value: unknown, name: string): unknown {
  const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  return found;
}

/** Every event of a stretch of time. */
export interface Stretch {
  readonly events: readonly ListedEvent[];
  /** All earlier events are in this stretch or an earlier one; never past the present. */
  readonly until: Date;
}

/**
 * Returns every event from `since` on, each once, in stretches of time; ends early when the signal is aborted. Throws
 * ProviderUnavailable.
 *
 * A response is in commit order, and dates are those of the clock that wrote them: a clock ahead dates an event later than
 * all that follow it. So no event's date is a valid cursor. Instead a stretch is queried by both its ends, and halved until
 * one response holds it.
 */
export async function* stretchesSince(
  source: EventSource,
  since: Date,
  present: Date,
  signal: AbortSignal,
): AsyncGenerator<Stretch> {
  const stopped = (): boolean => signal.aborted;
  if (stopped()) return;
  const events = await source.between(since);
  if (events.length < PAGE) {
    yield { events, until: present };
    return;
  }
  const end = present.getTime();
  let from = since.getTime();
  let width = end - from;
  while (from < end && !stopped()) {
    const until = new Date(Math.min(from + width, end));
    const stretch = await source.between(new Date(from), until);
    if (stretch.length < PAGE) {
      yield { events: stretch, until };
      from = until.getTime();
      width *= 2;
    } else {
      if (until.getTime() - from <= 1) throw new ProviderUnavailable(CROWDED);
      width = Math.ceil((until.getTime() - from) / 2);
    }
  }
  // Events dated ahead: those that one response does not hold are found once their time has come.
  if (!stopped()) yield { events: await source.between(new Date(from)), until: present };
}

const CROWDED = `Zitadel lists ${PAGE} or more events of one millisecond: they cannot be told apart by time`;

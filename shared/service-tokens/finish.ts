import * as z from 'zod';
import type { ZitadelApi } from '../ports/zitadel-api.ts';
import {
  presentIn,
  ROTATION_EVENTS,
  rotationsIn,
  rotationsText,
  ROTATIONS_KEY,
  staysFor,
  tokenEvents,
  type Rotation,
  type TokenEvent,
} from './rotations.ts';

export interface Finished {
  /** Ids of replaced tokens and keys that were removed, or would be. */
  readonly removed: readonly string[];
  /** Why nothing more could be done; without secrets. */
  readonly stopped: string | null;
}

class Refusal extends Error {}

const TIMEOUT_MS = 5_000;
const PAGE = 100;
/** More accounts than any instance has. */
const MOST_PAGES = 20;
const LOGIN_ROLE = 'IAM_LOGIN_CLIENT';

const Own = z.object({ user: z.object({ id: z.string() }) });
const Users = z.object({ result: z.array(z.object({ userId: z.string() })).default([]) });
const Members = z.object({
  result: z.array(z.object({ userId: z.string(), roles: z.array(z.string()).default([]) })).default([]),
});
const Events = z.object({
  events: z
    .array(z.object({ type: z.object({ type: z.string() }), payload: z.looseObject({}).prefault({}) }))
    .default([]),
});

/**
 * Removes replaced tokens and keys of service accounts whose time is over. Those of the account in use and of the login client are
 * left to `tokens rotate --finish --include-self`. Needs user.write; without it, or while Zitadel is away, it stops.
 */
export async function finishRotations(api: ZitadelApi, now: Date, dryRun: boolean): Promise<Finished> {
  const removed: string[] = [];
  try {
    const { user: own } = await ask(api, 'GET', '/auth/v1/users/me', Own);
    const { result: members } = await ask(api, 'POST', '/admin/v1/members/_search', Members, {});
    const login = members.flatMap(({ userId, roles }) => (roles.includes(LOGIN_ROLE) ? [userId] : []));
    for (const id of await accounts(api)) {
      if (id === own.id || login.includes(id)) continue;
      for await (const old of finishOf(api, id, now, dryRun)) removed.push(old);
    }
    return { removed, stopped: null };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { removed, stopped: error.message };
  }
}

async function* finishOf(api: ZitadelApi, id: string, now: Date, dryRun: boolean): AsyncGenerator<string> {
  let rotations: readonly Rotation[] = rotationsIn(await eventsOf(api, id, ROTATION_EVENTS));
  const user = `/v2/users/${encodeURIComponent(id)}`;
  for (const rotation of rotations) {
    const { kind, old } = rotation;
    const there = presentIn(await eventsOf(api, id, tokenEvents(kind)), kind);
    if (staysFor(rotation, there, now) !== undefined) continue;
    yield old;
    if (dryRun) continue;
    if (there.has(old)) await ask(api, 'DELETE', `${user}/${kind}s/${encodeURIComponent(old)}`, z.unknown());
    rotations = rotations.filter((each) => each !== rotation);
    const value = Buffer.from(rotationsText(rotations), 'utf8').toString('base64');
    const metadata = [{ key: ROTATIONS_KEY, value }];
    if (rotations.length === 0)
      await ask(api, 'DELETE', `${user}/metadata?keys=${ROTATIONS_KEY}`, z.unknown());
    else await ask(api, 'POST', `${user}/metadata`, z.unknown(), { metadata });
  }
}

async function accounts(api: ZitadelApi): Promise<string[]> {
  const ids: string[] = [];
  const queries = [{ typeQuery: { type: 'TYPE_MACHINE' } }];
  for (let page = 0; page < MOST_PAGES; page++) {
    const query = { offset: String(page * PAGE), limit: PAGE, asc: true };
    const { result } = await ask(api, 'POST', '/v2/users', Users, { query, queries });
    ids.push(...result.map(({ userId }) => userId));
    if (result.length < PAGE) break;
  }
  return ids;
}

const MOST_EVENTS = 1_000;

async function eventsOf(api: ZitadelApi, id: string, types: readonly string[]): Promise<TokenEvent[]> {
  const body = { limit: MOST_EVENTS, asc: false, aggregateId: id, eventTypes: types };
  const { events } = await ask(api, 'POST', '/admin/v1/events/_search', Events, body);
  return events.map(({ type, payload }) => ({ type: type.type, payload }));
}

async function ask<T>(
  api: ZitadelApi,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  shape: z.ZodType<T>,
  body?: object,
): Promise<T> {
  const answer = await api({ method, path, timeoutMs: TIMEOUT_MS, ...(body && { body }) });
  if (answer.outcome !== 'ok') throw new Refusal(answer.reason);
  const read = shape.safeParse(answer.body);
  if (!read.success) throw new Refusal('not the shape of Zitadel’s API');
  return read.data;
}

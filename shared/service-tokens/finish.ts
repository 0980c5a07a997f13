import * as z from 'zod';
import type { ZitadelApi } from '../ports/zitadel-api.ts';
import { instanceMembers, machines, ownUser } from '../zitadel/accounts.ts';
import { readsOnce, ZitadelFault } from '../zitadel/once.ts';
import {
  isLoginClient,
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

const TIMEOUT_MS = 5_000;

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
    const reads = readsOnce({ url: '', api });
    const own = await ownUser(reads);
    const members = await instanceMembers(reads);
    const roles = new Map(members.map((member) => [member.userId, member.roles]));
    for (const { userId: id, username } of await machines(reads)) {
      if (id === own || isLoginClient(username, roles.get(id) ?? [])) continue;
      for await (const old of finishOf(api, id, now, dryRun)) removed.push(old);
    }
    return { removed, stopped: null };
  } catch (error) {
    if (!(error instanceof ZitadelFault)) throw error;
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
    if (there.has(old)) await write(api, 'DELETE', `${user}/${kind}s/${encodeURIComponent(old)}`);
    rotations = rotations.filter((each) => each !== rotation);
    const value = Buffer.from(rotationsText(rotations), 'utf8').toString('base64');
    const metadata = [{ key: ROTATIONS_KEY, value }];
    if (rotations.length === 0) await write(api, 'DELETE', `${user}/metadata?keys=${ROTATIONS_KEY}`);
    else await write(api, 'POST', `${user}/metadata`, { metadata });
  }
}

const MOST_EVENTS = 1_000;

async function eventsOf(api: ZitadelApi, id: string, types: readonly string[]): Promise<TokenEvent[]> {
  const path = '/admin/v1/events/_search';
  const body = { limit: MOST_EVENTS, asc: false, aggregateId: id, eventTypes: types };
  const call = { method: 'POST', path, body, right: 'events.read' } as const;
  const { events } = await readsOnce({ url: '', api }).call(Events, call);
  return events.map(({ type, payload }) => ({ type: type.type, payload }));
}

async function write(api: ZitadelApi, method: 'POST' | 'DELETE', path: string, body?: object): Promise<void> {
  const answer = await api({ method, path, timeoutMs: TIMEOUT_MS, ...(body && { body }) });
  if (answer.outcome !== 'ok') throw new ZitadelFault(answer.reason);
}

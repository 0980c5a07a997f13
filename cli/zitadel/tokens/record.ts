import * as z from 'zod';
import type { ZitadelClient } from '../api/client.ts';
import { userEvents } from '../api/events.ts';
import { removeMetadata, setMetadata } from '../api/metadata.ts';
import type { Account, Kind } from './survey.ts';

/** One token that another one replaces. */
const Rotation = z.object({
  kind: z.enum(['pat', 'key']),
  old: z.string(),
  /** Null: the new one was being made. */
  new: z.string().nullable(),
  /** Of the new one, to the millisecond: by this it is known among others. */
  expires: z.iso.datetime(),
  /** When the new one was there and written out. */
  at: z.iso.datetime().nullable(),
  /** Milliseconds for which the old one goes on from then. */
  grace: z.number().int().min(0),
});
export type Rotation = z.output<typeof Rotation>;

/** From when on the old one may be removed; null while the new one is being made. `grace`: instead of the rotation's own. */
export function untilOf({ at, grace: own }: Rotation, grace: number = own): Date | null {
  return at === null ? null : new Date(Date.parse(at) + grace);
}

const Book = z.object({ rotations: z.array(Rotation) });

/** Of the account itself, at Zitadel: so that any machine goes on with what another one began. */
const KEY = 'sallyport.rotations';
const TYPES = ['user.metadata.set', 'user.metadata.removed', 'user.metadata.removed.all'];

/** What is under way for an account, from its events, which are current where lists lag behind. */
export async function rotationsOf(client: ZitadelClient, account: Account): Promise<readonly Rotation[]> {
  const events = await userEvents(client, account.id, TYPES);
  const last = events.find(
    ({ type, payload }) => type === 'user.metadata.removed.all' || payload['key'] === KEY,
  );
  const value = last?.type === 'user.metadata.set' ? last.payload['value'] : undefined;
  if (typeof value !== 'string') return [];
  return Book.parse(JSON.parse(Buffer.from(value, 'base64').toString('utf8'))).rotations;
}

export async function keepRotations(
  client: ZitadelClient,
  account: Account,
  rotations: readonly Rotation[],
): Promise<void> {
  if (rotations.length === 0) await removeMetadata(client, account, KEY);
  else await setMetadata(client, account, KEY, JSON.stringify({ rotations }));
}

const ADDED = { pat: 'user.pat.added', key: 'user.machine.key.added' };
const REMOVED = { pat: 'user.pat.removed', key: 'user.machine.key.removed' };
const ID = { pat: 'tokenId', key: 'keyId' };
const EXPIRES = { pat: 'expiration', key: 'expirationDate' };

/** Tokens of an account that are there, by id with their expiry in milliseconds; from its events. */
export async function present(
  client: ZitadelClient,
  account: Account,
  kind: Kind,
): Promise<ReadonlyMap<string, number>> {
  const events = await userEvents(client, account.id, [ADDED[kind], REMOVED[kind]]);
  const gone = new Set(
    events.filter(({ type }) => type === REMOVED[kind]).map(({ payload }) => payload[ID[kind]]),
  );
  const found = new Map<string, number>();
  for (const { type, payload } of events) {
    const id = payload[ID[kind]];
    if (type !== ADDED[kind] || typeof id !== 'string' || gone.has(id)) continue;
    found.set(id, Date.parse(z.string().catch('').parse(payload[EXPIRES[kind]])));
  }
  return found;
}

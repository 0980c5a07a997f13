import * as z from 'zod';

export type TokenKind = 'pat' | 'key';

/** One token of a service account that another one replaces. */
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

const Book = z.object({ rotations: z.array(Rotation) });

const LOGIN_ROLE = 'IAM_LOGIN_CLIENT';
/** What guides and the chart call it; some give it IAM_OWNER instead. */
const LOGIN_NAME = 'login-client';

/** Whether an account signs people in for the pages of Login v2, which stop when its token does. */
export function isLoginClient(username: string, roles: readonly string[]): boolean {
  return roles.includes(LOGIN_ROLE) || username.toLowerCase() === LOGIN_NAME;
}

/** Metadata of the account itself, at Zitadel: so that any machine goes on with what another one began. */
export const ROTATIONS_KEY = 'sallyport.rotations';
export const ROTATION_EVENTS = ['user.metadata.set', 'user.metadata.removed', 'user.metadata.removed.all'];

export interface TokenEvent {
  readonly type: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** What is under way for an account. `events`: ROTATION_EVENTS of it, the newest first; they are current where lists lag behind. */
export function rotationsIn(events: readonly TokenEvent[]): readonly Rotation[] {
  const last = events.find(
    ({ type, payload }) => type === 'user.metadata.removed.all' || payload['key'] === ROTATIONS_KEY,
  );
  const value = last?.type === 'user.metadata.set' ? last.payload['value'] : undefined;
  if (typeof value !== 'string') return [];
  return Book.parse(JSON.parse(Buffer.from(value, 'base64').toString('utf8'))).rotations;
}

export function rotationsText(rotations: readonly Rotation[]): string {
  return JSON.stringify({ rotations });
}

/** From when on the old one may be removed; null while the new one is being made. `grace`: instead of the rotation's own. */
export function untilOf({ at, grace: own }: Rotation, grace: number = own): Date | null {
  return at === null ? null : new Date(Date.parse(at) + grace);
}

const ADDED = { pat: 'user.pat.added', key: 'user.machine.key.added' };
const REMOVED = { pat: 'user.pat.removed', key: 'user.machine.key.removed' };
const ID = { pat: 'tokenId', key: 'keyId' };
const EXPIRES = { pat: 'expiration', key: 'expirationDate' };

export function tokenEvents(kind: TokenKind): readonly string[] {
  return [ADDED[kind], REMOVED[kind]];
}

/** Tokens of an account that are there, by id with their expiry in milliseconds; from its `tokenEvents`. */
export function presentIn(events: readonly TokenEvent[], kind: TokenKind): ReadonlyMap<string, number> {
  const removed = events.filter(({ type }) => type === REMOVED[kind]);
  const gone = new Set(removed.map(({ payload }) => payload[ID[kind]]));
  const found = new Map<string, number>();
  for (const { type, payload } of events) {
    const id = payload[ID[kind]];
    if (type !== ADDED[kind] || typeof id !== 'string' || gone.has(id)) continue;
    found.set(id, Date.parse(z.string().catch('').parse(payload[EXPIRES[kind]])));
  }
  return found;
}

/** Why the old one has to stay, whoever's it is; undefined: its time is over, and the new one is there. */
export function staysFor(
  rotation: Rotation,
  there: ReadonlyMap<string, number>,
  now: Date,
  grace?: number,
): string | undefined {
  const until = untilOf(rotation, grace);
  if (rotation.new === null || until === null) return 'its rotation was cut off: rotate again';
  if (until > now) return `waits until ${until.toISOString()}`;
  const expiry = there.get(rotation.new);
  if (expiry === undefined) return `what replaces it, ${rotation.new}, is gone: rotate again`;
  return expiry <= now.getTime() ? `what replaces it, ${rotation.new}, has expired: rotate again` : undefined;
}

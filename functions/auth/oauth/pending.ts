import * as z from 'zod';
import { cookie, cookiesIn, pendingPrefix } from '../../../shared/sessions/cookies.ts';
import type { SessionKeys } from '../../../shared/sessions/keys.ts';
import type { SessionsConfig } from '../../../shared/configuration/sessions.ts';

/** Seconds that a sign-in at the provider may take. */
const PENDING_SECONDS = 600;
/** Sign-ins of one browser at a time: cookies are sent with every request, and a head has 16 KiB. */
const MOST_PENDING = 4;
const USE = 'sign-in';
const MARK = 12;

const Sealed = z.object({
  provider: z.string(),
  state: z.string(),
  nonce: z.string(),
  /** RFC 7636 §4.1. */
  verifier: z.string(),
  /** A local path. */
  returnTo: z.string(),
  /** A tenant by slug or id, for a new user. */
  tenant: z.string().nullable(),
  /** The session that an account is to be linked from. Ids of the application need not be of RFC 9562. */
  link: z.object({ userId: z.guid(), sessionId: z.guid() }).nullable(),
  /** The invited user, who alone may complete it. Absent in cookies of the release before. */
  invited: z.string().nullable().default(null),
  /** Milliseconds since the epoch. */
  until: z.number(),
});

/** A sign-in that goes on at the provider. */
export type Pending = Readonly<Omit<z.output<typeof Sealed>, 'until'>>;

type Cookies = Pick<SessionsConfig, 'secure'>;

/** One cookie per sign-in, named by its state: two tabs leave each other's alone. */
function nameOf(state: string, config: Cookies): string {
  return pendingPrefix(config) + state.slice(0, MARK);
}

/** Set-Cookie values that keep a sign-in, and drop the oldest of those that the browser already keeps. */
export async function keepPending(
  pending: Pending,
  { cookies, nowMs }: { readonly cookies: string | null; readonly nowMs: number },
  keys: SessionKeys,
  config: Cookies,
): Promise<string[]> {
  const until = nowMs + PENDING_SECONDS * 1_000;
  const sealed = await keys.seal(JSON.stringify({ ...pending, until }), USE);
  const name = nameOf(pending.state, config);
  const others = await keptIn(cookies, keys, config);
  const dropped = others
    .filter((other) => other.name !== name)
    .toSorted((a, b) => b.until - a.until)
    .slice(MOST_PENDING - 1);
  return [
    cookie(name, sealed, PENDING_SECONDS, config),
    ...dropped.map((other) => cookie(other.name, '', 0, config)),
  ];
}

/** Undefined where this browser did not begin it, or too long ago. */
export async function readPending(
  state: string,
  { cookies, nowMs }: { readonly cookies: string | null; readonly nowMs: number },
  keys: SessionKeys,
  config: Cookies,
): Promise<Pending | undefined> {
  const name = nameOf(state, config);
  for (const [key, value] of cookiesIn(cookies)) {
    const found = key === name ? await opened(value, keys) : undefined;
    if (found?.state === state && found.until > nowMs) return found;
  }
  return undefined;
}

/** A Set-Cookie value that ends it. */
export function dropPending(state: string, config: Cookies): string {
  return cookie(nameOf(state, config), '', 0, config);
}

async function keptIn(
  cookies: string | null,
  keys: SessionKeys,
  config: Cookies,
): Promise<{ readonly name: string; readonly until: number }[]> {
  const prefix = pendingPrefix(config);
  const own = cookiesIn(cookies).filter(([name]) => name.startsWith(prefix) && /^[\w-]+$/.test(name));
  return Promise.all(
    own.map(async ([name, value]) => ({ name, until: (await opened(value, keys))?.until ?? 0 })),
  );
}

async function opened(value: string, keys: SessionKeys) {
  const text = await keys.open(value, USE);
  return text === undefined ? undefined : Sealed.parse(JSON.parse(text));
}

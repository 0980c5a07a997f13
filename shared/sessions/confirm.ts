import { LRUCache } from 'lru-cache';
import * as z from 'zod';
import { ProviderUnavailable } from '../errors.ts';
import { sql, type Database, type Sql } from '../ports/database.ts';
import { pause, type Clock, type Random } from '../ports/runtime.ts';
import type { SignIn } from '../ports/sign-in.ts';
import { BUSY, give, LEASE_SECONDS, take } from './confirm-lease.ts';
import type { KeyRing, SessionKeys } from './keys.ts';
import type { SessionRow } from './store.ts';

/** What is kept of a session at its provider, encrypted in sallyport_sessions.provider_token. */
const HeldToken = z.object({
  /** Null: the provider issued none. */
  refresh: z.string().nullable(),
  /** Whether its user was in a group of the tenant at the last confirmation; null before the first. */
  member: z.boolean().nullable(),
});

type HeldToken = z.output<typeof HeldToken>;

const USE = 'provider token';

export function sealToken(held: HeldToken, keys: SessionKeys): Promise<string> {
  return keys.seal(JSON.stringify(held), USE);
}

export interface ConfirmDeps {
  readonly database: Pick<Database, 'query' | 'execute'>;
  readonly signIns: readonly SignIn[];
  readonly keyRing: KeyRing;
  readonly clock: Clock;
  readonly random: Pick<Random, 'uuid'>;
  /** Real time by default. */
  readonly sleep?: (ms: number) => Promise<void>;
}

/**
 * Runs `then` once a session is confirmed, and before another request may confirm it. `untilMs`: access tokens may count until then, in
 * milliseconds since the epoch. `moved`: it was confirmed meanwhile, or it ended: read it again.
 */
export type Confirm = <T>(
  session: SessionRow,
  then: (untilMs: number) => Promise<T>,
) => Promise<T | 'refused' | 'moved'>;

/** A session goes on unconfirmed for this long. */
const UNCONFIRMED_MS = 3_600_000;
const MOST_UNKEPT = 1_000;
const POLL_MS = 100;
const POLLS = (1_000 * LEASE_SECONDS) / POLL_MS + 50;

/**
 * Confirms a session at the provider that it began at, by its refresh token there and by the groups of its person. Providers end a session
 * whose refresh token comes twice, so one request confirms for all that come at the same time, over all instances. Rejects
 * with ProviderUnavailable when it was not confirmed for an hour, and as `Database`.
 */
export function confirmation(deps: ConfirmDeps): Confirm {
  const { random, sleep = pause } = deps;
  const underWay = new Set<string>();
  const unkept = new LRUCache<string, HeldToken>({ max: MOST_UNKEPT });
  // On Workers no randomness is allowed at start.
  let holder: string | undefined;
  return async (session, then) => {
    const { issuer, subject, sessionId, providerToken } = session;
    if (issuer === null || subject === null) return then(Infinity);
    const signIn = deps.signIns.find((each) => each.issuer === issuer);
    if (signIn === undefined || providerToken === null) return andThen(withoutToken(session, deps), then);
    holder ??= random.uuid();
    for (let poll = 0; poll < POLLS; poll += 1) {
      const lease = underWay.has(sessionId) ? BUSY : await take(session, holder, deps);
      if (lease.state === 'moved') return 'moved';
      if (lease.state === 'busy' || underWay.has(sessionId)) {
        await sleep(POLL_MS);
        continue;
      }
      underWay.add(sessionId);
      try {
        const at = { signIn, subject, unkept, session: { ...session, ...lease } };
        return await andThen(await alone(at, deps), then);
      } finally {
        await give(sessionId, holder, deps);
        underWay.delete(sessionId);
      }
    }
    throw new ProviderUnavailable('another request is confirming the session, and did not end');
  };
}

/** Milliseconds since the epoch. */
type Until = number | 'refused';

async function andThen<T>(until: Until, then: (untilMs: number) => Promise<T>): Promise<T | 'refused'> {
  return until === 'refused' ? until : then(until);
}

interface AtProvider {
  readonly signIn: SignIn;
  readonly subject: string;
  readonly session: SessionRow;
  /** By session: what a database that is away could not keep. */
  readonly unkept: LRUCache<string, HeldToken>;
}

async function alone(at: AtProvider, deps: ConfirmDeps): Promise<Until> {
  const { session, unkept } = at;
  const keys = await deps.keyRing.current();
  const held = unkept.get(session.sessionId) ?? (await heldBy(session, keys));
  if (held?.refresh == null) return withoutToken(session, deps);
  try {
    return await confirm({ ...at, ...held, refresh: held.refresh }, keys, deps);
  } catch (error) {
    if (!(error instanceof ProviderUnavailable)) throw error;
    const untilMs = unconfirmedUntil(session);
    if (deps.clock.now() >= untilMs) throw error;
    return untilMs;
  }
}

interface Confirming extends AtProvider {
  readonly refresh: string;
  readonly member: HeldToken['member'];
}

async function confirm(
  { session, signIn, subject, unkept, refresh, member }: Confirming,
  keys: SessionKeys,
  deps: ConfirmDeps,
): Promise<Until> {
  const refreshed = await signIn.refresh(refresh);
  if (refreshed.outcome === 'declined') return 'refused';
  const { access, refresh: next } = refreshed.tokens;
  // The old one is spent: the new one is kept before anything else can fail.
  const token = { refresh: next ?? refresh, member };
  unkept.set(session.sessionId, token);
  await keep(session, await sealToken(token, keys), sql``, deps);
  unkept.delete(session.sessionId);
  const looked = await signIn.account(access, subject);
  if (looked.outcome === 'declined') return 'refused';
  const isMember = await isOfTenant(session.tenantId, looked.account.groups, deps);
  // Kanidm refreshes also for an account that has left every group.
  if (member === true && !isMember) return 'refused';
  await keep(
    session,
    await sealToken({ ...token, member: isMember }, keys),
    sql`, confirmed_at = now()`,
    deps,
  );
  return Infinity;
}

/** Whether one of the groups stands for the tenant. Throws as `Database`. */
async function isOfTenant(
  tenantId: string,
  groups: readonly string[],
  { database }: ConfirmDeps,
): Promise<boolean> {
  const rows = await database.query(
    sql`select 1 as one from kanidm_tenant_groups
        where tenant_id = ${tenantId}::uuid and kanidm_group_uuid = any(${groups}::uuid[]) limit 1`,
    z.object({ one: z.number() }),
  );
  return rows.length > 0;
}

async function heldBy({ providerToken }: SessionRow, keys: SessionKeys): Promise<HeldToken | undefined> {
  const text = providerToken === null ? undefined : await keys.open(providerToken, USE);
  return text === undefined ? undefined : HeldToken.parse(JSON.parse(text));
}

/** Nothing can confirm it: it ends with the hour. */
function withoutToken(session: SessionRow, { clock }: ConfirmDeps): Until {
  const untilMs = unconfirmedUntil(session);
  return clock.now() < untilMs ? untilMs : 'refused';
}

function unconfirmedUntil({ confirmedAt, createdAt }: SessionRow): number {
  return (confirmedAt ?? createdAt).getTime() + UNCONFIRMED_MS;
}

async function keep(
  { sessionId }: SessionRow,
  token: string,
  more: Sql,
  { database }: ConfirmDeps,
): Promise<void> {
  await database.execute(
    sql`update sallyport_sessions set provider_token = ${token}${more} where session_id = ${sessionId}::uuid`,
  );
}

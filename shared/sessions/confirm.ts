import * as z from 'zod';
import { ProviderUnavailable } from '../errors.ts';
import { DatabaseUnavailable, sql, type Database } from '../ports/database.ts';
import type { Clock } from '../ports/runtime.ts';
import type { SignIn } from '../ports/sign-in.ts';
import type { KeyRing, SessionKeys } from './keys.ts';
import { readSession, type SessionRow } from './store.ts';

/** What is kept of a session at its provider, encrypted in sallyport_sessions.provider_token. */
export interface HeldToken {
  /** Null: the provider gave none. */
  readonly refresh: string | null;
  /** Whether its person was in a group of their tenant when last looked at; null: not looked at yet. */
  readonly member: boolean | null;
}

const Held = z.object({ refresh: z.string().nullable(), member: z.boolean().nullable() });
const USE = 'provider token';

export function sealToken(held: HeldToken, keys: SessionKeys): Promise<string> {
  return keys.seal(JSON.stringify(held), USE);
}

export interface ConfirmDeps {
  readonly database: Pick<Database, 'query' | 'execute'>;
  readonly signIns: readonly SignIn[];
  readonly keyRing: KeyRing;
  readonly clock: Clock;
  /** Real time by default. */
  readonly sleep?: (ms: number) => Promise<void>;
}

export type Confirmed =
  /** Access tokens may count until then, in milliseconds since the epoch. */
  | { readonly state: 'confirmed'; readonly untilMs: number }
  /** `moved`: another request confirmed it meanwhile, or it ended: read it again. */
  | { readonly state: 'refused' | 'moved' };

/** A session goes on unconfirmed for this long. */
const UNCONFIRMED_MS = 3_600_000;
/** Longer than the calls to the provider and the database take together. */
const LEASE_SECONDS = 60;
const POLL_MS = 100;
const POLLS = 150;

/**
 * Confirms a session at the provider that it began at, by its refresh token there and by the groups of its person. Providers end a session
 * whose refresh token comes twice, so one request confirms for all that come at the same time, over all instances. Rejects
 * with ProviderUnavailable when it was not confirmed for an hour.
 */
export function confirmation(deps: ConfirmDeps): (session: SessionRow) => Promise<Confirmed> {
  return async (session) => {
    const { issuer, subject } = session;
    if (issuer === null || subject === null) return { state: 'confirmed', untilMs: Infinity };
    const signIn = deps.signIns.find((each) => each.issuer === issuer);
    if (signIn === undefined || session.providerToken === null) return withoutToken(session, deps);
    if (!(await taken(session, deps))) return moved(session, deps);
    try {
      return await alone(session, { signIn, subject }, deps);
    } finally {
      await given(session, deps);
    }
  };
}

interface AtProvider {
  readonly signIn: SignIn;
  readonly subject: string;
}

/** With the lease: what was read before it may be older than what the last holder kept. */
async function alone(before: SessionRow, at: AtProvider, deps: ConfirmDeps): Promise<Confirmed> {
  const session = await readSession(deps.database, before.sessionId);
  if (session?.living !== true || session.generation !== before.generation) return { state: 'moved' };
  const keys = await deps.keyRing.current();
  const held = await heldBy(session, keys);
  if (held?.refresh == null) return withoutToken(session, deps);
  try {
    return await confirm({ ...at, ...held, session, refresh: held.refresh }, keys, deps);
  } catch (error) {
    if (!(error instanceof ProviderUnavailable)) throw error;
    const untilMs = unconfirmedUntil(session);
    if (deps.clock.now() >= untilMs) throw error;
    return { state: 'confirmed', untilMs };
  }
}

interface Confirming extends AtProvider {
  readonly session: SessionRow;
  readonly refresh: string;
  readonly member: HeldToken['member'];
}

async function confirm(
  { session, signIn, subject, refresh, member }: Confirming,
  keys: SessionKeys,
  deps: ConfirmDeps,
): Promise<Confirmed> {
  const refreshed = await signIn.refresh(refresh);
  if (refreshed.outcome === 'declined') return { state: 'refused' };
  const { access, refresh: next } = refreshed.tokens;
  // The old one is spent: the new one is kept before anything else can fail.
  const token = { refresh: next ?? refresh, member };
  await keep(session, await sealToken(token, keys), sql``, deps);
  const looked = await signIn.account(access, subject);
  if (looked.outcome === 'declined') return { state: 'refused' };
  const isMember = await isOfTenant(session.tenantId, looked.account.groups, deps);
  // Kanidm goes on refreshing for who has left every group.
  if (member === true && !isMember) return { state: 'refused' };
  await keep(
    session,
    await sealToken({ ...token, member: isMember }, keys),
    sql`, confirmed_at = now()`,
    deps,
  );
  return { state: 'confirmed', untilMs: Infinity };
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
  return text === undefined ? undefined : Held.parse(JSON.parse(text));
}

/** Nothing can confirm it: it ends with the hour. */
function withoutToken(session: SessionRow, { clock }: ConfirmDeps): Confirmed {
  const untilMs = unconfirmedUntil(session);
  return clock.now() < untilMs ? { state: 'confirmed', untilMs } : { state: 'refused' };
}

function unconfirmedUntil({ confirmedAt, createdAt }: SessionRow): number {
  return (confirmedAt ?? createdAt).getTime() + UNCONFIRMED_MS;
}

function leaseOf({ sessionId, generation }: SessionRow): string {
  return `confirm ${sessionId} ${generation}`;
}

/** False where another request is at it. One that died leaves the lease to the next after its time. */
async function taken(session: SessionRow, { database }: ConfirmDeps): Promise<boolean> {
  const rows = await database.execute(
    sql`insert into sallyport_spent as kept (key, expires_at)
        values (${leaseOf(session)}, now() + interval '1 second' * ${LEASE_SECONDS}::int)
        on conflict (key) do update set expires_at = excluded.expires_at where kept.expires_at < now()`,
  );
  return rows === 1;
}

/** A database that is away lets it run out. */
async function given(session: SessionRow, { database }: ConfirmDeps): Promise<void> {
  try {
    await database.execute(sql`delete from sallyport_spent where key = ${leaseOf(session)}`);
  } catch (error) {
    if (!(error instanceof DatabaseUnavailable)) throw error;
  }
}

async function moved(session: SessionRow, deps: ConfirmDeps): Promise<Confirmed> {
  const { sleep = pause } = deps;
  for (let poll = 0; poll < POLLS; poll += 1) {
    await sleep(POLL_MS);
    const now = await readSession(deps.database, session.sessionId);
    if (now?.living !== true || now.generation !== session.generation) return { state: 'moved' };
  }
  throw new ProviderUnavailable('another request is confirming the session, and did not end');
}

/** A token that is lost here ends the session with its next refresh, so a database that is away for a moment is waited for. */
async function keep(
  { sessionId }: SessionRow,
  token: string,
  more: ReturnType<typeof sql>,
  deps: ConfirmDeps,
): Promise<void> {
  const { database, sleep = pause } = deps;
  const statement = sql`update sallyport_sessions set provider_token = ${token}${more} where session_id = ${sessionId}::uuid`;
  for (const waitMs of [POLL_MS, 10 * POLL_MS]) {
    try {
      await database.execute(statement);
      return;
    } catch (error) {
      if (!(error instanceof DatabaseUnavailable)) throw error;
      await sleep(waitMs);
    }
  }
  await database.execute(statement);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

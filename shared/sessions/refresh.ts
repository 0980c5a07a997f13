import * as z from 'zod';
import type { SessionsConfig } from '../configuration/sessions.ts';
import { auditInsert } from '../people/audit.ts';
import { sql, type Database } from '../ports/database.ts';
import type { Clock } from '../ports/runtime.ts';
import type { Confirm } from './confirm.ts';
import type { TokenPair } from './cookies.ts';
import type { KeyRing, SessionKeys } from './keys.ts';
import { markEnded, type MarkDeps } from './revocation.ts';
import { readSession, rotate, sessionEnding, which, type Ending, type SessionRow } from './store.ts';
import { mintAccess, mintRefresh, readRefresh, tokenHash } from './token.ts';

/** Where a request came from, for the session's row and the audit. */
export interface Origin {
  readonly address: string | null;
  readonly userAgent: string | null;
  readonly requestId: string;
}

export interface RefreshDeps extends MarkDeps {
  readonly database: Pick<Database, 'query' | 'execute'>;
  readonly keyRing: KeyRing;
  readonly config: SessionsConfig;
  readonly clock: Clock;
  /** Confirms a session at the provider that it began at: see confirm.ts. Absent: none began at one. */
  readonly confirm?: Confirm;
}

export type Refreshed =
  | { readonly ok: true; readonly pair: TokenPair; readonly session: SessionRow }
  | { readonly ok: false; readonly why: string };

const SUCCESSOR = 'successor';
const Pair = z.object({ access: z.string(), refresh: z.string() });

/**
 * Rotates the tokens of a session. A token that was rotated ends the whole session (RFC 9700 §4.14.2), except within ten
 * seconds while its successor is unused: then its answer was lost, and is given again. Throws as `Database`.
 */
export async function refreshSession(token: string, origin: Origin, deps: RefreshDeps): Promise<Refreshed> {
  const keys = await deps.keyRing.current();
  const name = readRefresh(token, keys);
  if (name === undefined) return { ok: false, why: 'no refresh token of ours' };
  // Once more after another request rotated it meanwhile: then its answer is the one.
  for (const last of [false, true]) {
    const session = await readSession(deps.database, name.sessionId);
    if (session?.living !== true) return { ok: false, why: 'the session is over' };
    if (!session.active) return ended(session, 'account not active', origin, deps);
    if (name.generation === session.generation && tokenHash(token) === session.refreshHash) {
      const pair = await rotated(session, keys, origin, deps);
      if (pair === 'refused') return ended(session, 'refused by the provider', origin, deps);
      if (pair !== undefined) return { ok: true, pair, session };
      if (last) return { ok: false, why: 'the session changed twice meanwhile' };
      continue;
    }
    const again = await lostAnswer(name.generation, session, keys);
    if (again !== undefined) return { ok: true, pair: again, session };
    return ended(session, 'refresh token used again', origin, deps);
  }
  return { ok: false, why: 'the session changed meanwhile' };
}

async function rotated(
  session: SessionRow,
  keys: SessionKeys,
  { address, userAgent }: Origin,
  deps: RefreshDeps,
): Promise<TokenPair | 'refused' | undefined> {
  const rotating = async (untilMs: number): Promise<TokenPair | undefined> => {
    const issued = await issue(session, session.generation + 1, keys, { ...deps, untilMs });
    const successor = await keys.seal(JSON.stringify(issued.pair), SUCCESSOR);
    const done = await rotate(deps.database, { session, ...issued, successor, address, userAgent });
    return done ? issued.pair : undefined;
  };
  const result = await (deps.confirm?.(session, rotating) ?? rotating(Infinity));
  return result === 'moved' ? undefined : result;
}

export interface Issued {
  readonly pair: TokenPair;
  readonly accessExpires: Date;
  readonly refreshExpires: Date;
}

/** The tokens of one generation of a session. `untilMs`: when access tokens end at the latest, in milliseconds since the epoch. */
export async function issue(
  session: Pick<SessionRow, 'userId' | 'tenantId' | 'slug' | 'role' | 'sessionId' | 'method'>,
  generation: number,
  keys: SessionKeys,
  {
    config,
    clock,
    untilMs = Infinity,
  }: Pick<RefreshDeps, 'config' | 'clock'> & { readonly untilMs?: number | undefined },
): Promise<Issued> {
  const { userId: subject, sessionId } = session;
  const nowSeconds = Math.floor(clock.now() / 1_000);
  const accessSeconds = Math.min(config.accessSeconds, Math.floor(untilMs / 1_000) - nowSeconds);
  return {
    pair: {
      access: await mintAccess({ ...session, subject }, keys, { ...config, accessSeconds }, nowSeconds),
      refresh: mintRefresh({ sessionId, generation }, keys),
    },
    accessExpires: new Date((nowSeconds + accessSeconds) * 1_000),
    refreshExpires: new Date((nowSeconds + config.refreshSeconds) * 1_000),
  };
}

async function lostAnswer(
  generation: number,
  session: SessionRow,
  keys: SessionKeys,
): Promise<TokenPair | undefined> {
  if (generation !== session.generation - 1 || session.successor === null) return undefined;
  const text = await keys.open(session.successor, SUCCESSOR);
  return text === undefined ? undefined : Pair.parse(JSON.parse(text));
}

const EndedRow = z.object({ id: z.string() });

/** Ends the family; of concurrent calls the one that ended it writes the row of audit. */
async function ended(
  session: SessionRow,
  why: Ending,
  { address, requestId }: Origin,
  deps: RefreshDeps,
): Promise<Refreshed> {
  const entry = {
    who: session.userId,
    what: why === 'refresh token used again' ? 'refresh_reused' : 'refresh_refused',
    subject: session.userId,
    from: address ?? 'unknown',
    run: requestId,
    detail: { session: session.sessionId, why },
  } as const;
  const rows = await deps.database.query(
    sql`with ended as (${sessionEnding(which.session(session.sessionId), why)}),
        audited as (${auditInsert(entry, sql`ended`)}) select id from ended`,
    EndedRow,
  );
  await markEnded(
    rows.map(({ id }) => id),
    deps,
  );
  return { ok: false, why };
}

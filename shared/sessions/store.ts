import * as z from 'zod';
import { PEOPLE, PERSON, PersonShape } from '../people/users.ts';
import { parseRows, sql, type Database, type RowParser, type Sql } from '../ports/database.ts';
import type { TokenPair } from './cookies.ts';
import { SESSION_CALLER } from './revocation.ts';
import { SessionMethod, tokenHash } from './token.ts';

/** Seconds in which a rotated refresh token is answered once more with what came of it. */
export const GRACE_SECONDS = 10;

/** A session that begins, with the hashes of its first tokens. */
export interface NewSession {
  readonly sessionId: string;
  readonly method: SessionMethod;
  readonly pair: TokenPair;
  readonly accessExpires: Date;
  readonly refreshExpires: Date;
  /** An IP address, where it is known. */
  readonly address: string | null;
  readonly userAgent: string | null;
  readonly provider?: ProviderSession | undefined;
}

/** The provider's side of a session that began there. */
export interface ProviderSession {
  readonly issuer: string;
  readonly subject: string;
  /** The `sid` of its ID token; a uuid is kept in sessions.kanidm_session_id as well. */
  readonly sid: string | null;
  readonly sidAsUuid: string | null;
  /** Its refresh token, encrypted. */
  readonly token: string | null;
}

/**
 * CTEs of a statement, as `, session as (…), family as (…)`, that insert the rows of a session for the user in `from`, which has the
 * columns user_id and tenant_id and one row at most.
 */
export function sessionInserts(session: NewSession, from: Sql): Sql {
  const { provider, pair } = session;
  return sql`, session as (
      insert into sessions (session_id, user_id, tenant_id, access_token_hash, refresh_token_hash, ip_address, user_agent,
        access_token_expires_at, refresh_token_expires_at, auth_method, kanidm_session_id)
      select ${session.sessionId}::uuid, user_id, tenant_id, ${tokenHash(pair.access)}::text, ${tokenHash(pair.refresh)}::text,
        ${session.address}::inet, ${session.userAgent}::text, ${session.accessExpires}::timestamptz,
        ${session.refreshExpires}::timestamptz, ${session.method}::text, ${provider?.sidAsUuid ?? null}::uuid
      from ${from} returning session_id
    ), family as (
      insert into sallyport_sessions (session_id, issuer, subject, provider_sid, provider_token, confirmed_at)
      select session_id, ${provider?.issuer ?? null}::text, ${provider?.subject ?? null}::text, ${provider?.sid ?? null}::text,
        ${provider?.token ?? null}::text, ${provider === undefined ? sql`null::timestamptz` : sql`now()`}
      from session
    )`;
}

const SessionRow = z.object({
  ...PersonShape,
  sessionId: z.string(),
  method: SessionMethod,
  createdAt: z.date(),
  /** Neither revoked nor over. */
  living: z.boolean(),
  refreshHash: z.string().nullable(),
  generation: z.number(),
  /** Of the last rotation, while it may still be answered again. */
  successor: z.string().nullable(),
  issuer: z.string().nullable(),
  subject: z.string().nullable(),
  providerToken: z.string().nullable(),
  confirmedAt: z.date().nullable(),
});

/** A session that began here, with its user. */
export type SessionRow = z.output<typeof SessionRow>;

/** Undefined for a session that is not there or did not begin here. Throws as `Database`. */
export async function readSession(
  database: Pick<Database, 'query'>,
  sessionId: string,
): Promise<SessionRow | undefined> {
  const [row] = await database.query(
    sql`select ${PERSON}, s.session_id as "sessionId", s.auth_method as method, s.created_at as "createdAt",
          (not s.revoked and s.refresh_token_expires_at > now()) as living, s.refresh_token_hash as "refreshHash", f.generation,
          case when f.rotated_at > now() - interval '1 second' * ${GRACE_SECONDS}::int then f.successor end as successor,
          f.issuer, f.subject, f.provider_token as "providerToken", f.confirmed_at as "confirmedAt"
        from sessions s join sallyport_sessions f on f.session_id = s.session_id
          join ${PEOPLE} on u.user_id = s.user_id
        where s.session_id = ${sessionId}::uuid`,
    SessionRow,
  );
  return row;
}

export interface Rotation {
  readonly session: Pick<SessionRow, 'sessionId' | 'generation' | 'refreshHash'>;
  readonly pair: TokenPair;
  readonly accessExpires: Date;
  readonly refreshExpires: Date;
  /** The pair, encrypted. */
  readonly successor: string;
  readonly address: string | null;
  readonly userAgent: string | null;
}

/** False where the session ended or rotated meanwhile: then nothing was changed. Throws as `Database`. */
export async function rotate(
  database: Pick<Database, 'execute'>,
  { session, pair, accessExpires, refreshExpires, successor, address, userAgent }: Rotation,
): Promise<boolean> {
  const changed = await database.execute(sql`
    with kept as (
      update sessions set access_token_hash = ${tokenHash(pair.access)}, refresh_token_hash = ${tokenHash(pair.refresh)},
        access_token_expires_at = ${accessExpires}, refresh_token_expires_at = ${refreshExpires}, last_used_at = now(),
        ip_address = coalesce(${address}::inet, ip_address), user_agent = coalesce(${userAgent}::text, user_agent)
      where session_id = ${session.sessionId}::uuid and refresh_token_hash = ${session.refreshHash} and not revoked
        and refresh_token_expires_at > now()
      returning session_id
    )
    update sallyport_sessions f set generation = f.generation + 1, rotated_at = now(), successor = ${successor}
    from kept where f.session_id = kept.session_id and f.generation = ${session.generation}`);
  return changed === 1;
}

/** Which sessions end: conditions on a row `s` of sessions. */
export const which = {
  session: (sessionId: string): Sql => sql`s.session_id = ${sessionId}::uuid`,
  /** `userId`: an expression. */
  allOf: (userId: Sql): Sql => sql`s.user_id = ${userId}`,
  othersOf: (userId: string, sessionId: string): Sql =>
    sql`s.user_id = ${userId}::uuid and s.session_id <> ${sessionId}::uuid`,
};

/** Why a session ended, in sessions.revoked_reason. */
export type Ending =
  | 'signed out'
  | 'signed out everywhere'
  | 'ended by its user'
  | 'refresh token used again'
  | 'account not active'
  | 'password changed'
  | 'password reset'
  | 'signed in by the provider'
  | 'ended at the provider'
  | 'refused by the provider';

/** An update of a statement's CTE that ends living sessions; the `id` of its rows is the caller that markEnded() marks. */
export function sessionEnding(sessions: Sql, why: Ending): Sql {
  return sql`update sessions s set revoked = true, revoked_at = now(), revoked_reason = ${why}::text
    where ${sessions} and not s.revoked returning ${SESSION_CALLER} as id, s.user_id`;
}

/**
 * Runs a statement that ends sessions of a user, with the user's row in hand before it begins: a sign-in under way holds that row, and
 * the session that it commits would be none that the statement sees. Throws as `Database`.
 */
export async function endingAll<T>(
  database: Pick<Database, 'transaction'>,
  userId: string,
  statement: Sql,
  row: RowParser<T>,
): Promise<T[]> {
  const held = sql`select from users where user_id = ${userId}::uuid for no key update`;
  const [, result] = await database.transaction([held, statement]);
  return parseRows(result?.rows ?? [], row);
}

import * as z from 'zod';
import type { OwnRoute, RouteContext } from '../../../shared/edge/frame.ts';
import { Refusal } from '../../../shared/errors.ts';
import { isPrintable } from '../../../shared/identity/subjects.ts';
import { JwtRefused, verifyJwt } from '../../../shared/keys/verify-jwt.ts';
import { auditInsert } from '../../../shared/people/audit.ts';
import { sql, type Sql } from '../../../shared/ports/database.ts';
import type { SignIn } from '../../../shared/ports/sign-in.ts';
import { markEnded, SESSION_CALLER } from '../../../shared/sessions/revocation.ts';
import { sessionEnding } from '../../../shared/sessions/store.ts';
import type { AuthDeps } from '../deps.ts';
import { spentKey } from './arrive.ts';
import { BACKCHANNEL_LOGOUT, providerAt } from './http.ts';

/** OpenID Connect Back-Channel Logout 1.0 §2.5: ends the sessions of a `sid`, or all of a `sub`. */
export function backchannelLogoutRoute(deps: AuthDeps): OwnRoute {
  return {
    path: BACKCHANNEL_LOGOUT,
    methods: ['POST'],
    quota: 'coarse',
    async answer(request, context) {
      const signIn = providerAt(new URL(request.url).pathname.slice(BACKCHANNEL_LOGOUT.length), deps);
      const token = tokenIn(new TextDecoder().decode(await context.body()));
      const logout = await verified(token, signIn, context.address, deps);
      const ended = await end(logout, signIn, context, deps);
      await markEnded(ended.callers, deps);
      if (!ended.fresh) throw invalid('jti came before');
      return new Response(null, { status: 200, headers: { 'cache-control': 'no-store' } });
    },
  };
}

function tokenIn(form: string): string {
  const [token, ...more] = new URLSearchParams(form).getAll('logout_token');
  if (token === undefined || more.length > 0) throw invalid('no logout_token, or several');
  return token;
}

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const text = z.string().refine(isPrintable);

/** §2.4: without `nonce`, so that no ID token passes for one. */
const LogoutClaims = z
  .object({
    jti: z.string().min(1).max(1_024),
    iat: z.number(),
    sub: text.optional(),
    sid: text.optional(),
    nonce: z.undefined().optional(),
    events: z.object({ [EVENT]: z.object({}) }),
  })
  .refine(({ sub, sid }) => sub !== undefined || sid !== undefined);

type LogoutClaims = z.output<typeof LogoutClaims>;

/** Of the header `typ`; absent at providers older than the specification's end. */
const TYPES = new Set(['logout+jwt', 'application/logout+jwt', 'jwt']);
const TOLERANCE_S = 30;
/** Seconds after which a token without `exp` is of the past. */
const MOST_AGE_S = 600;

/** §2.6. Throws Refusal `invalid_request`, and as `KeySource`. */
async function verified(
  token: string,
  { issuer, clientId }: SignIn,
  address: string,
  { issuerOf, clock }: AuthDeps,
): Promise<LogoutClaims> {
  try {
    const { claims, header } = await verifyJwt(token, {
      keys: issuerOf(issuer).keys,
      address,
      options: {
        issuer,
        audience: clientId,
        clockTolerance: TOLERANCE_S,
        maxTokenAge: MOST_AGE_S,
        currentDate: new Date(clock.now()),
        requiredClaims: ['iat', 'jti'],
      },
    });
    if (header.typ !== undefined && !TYPES.has(header.typ.toLowerCase()))
      throw invalid('typ of another token');
    const parsed = LogoutClaims.safeParse(claims);
    if (!parsed.success) throw invalid('claims of no logout token');
    return parsed.data;
  } catch (error) {
    if (error instanceof JwtRefused) throw invalid(error.message);
    throw error;
  }
}

const EndedRow = z.object({ fresh: z.boolean(), callers: z.array(z.string()) });

/**
 * In one statement with the spending of `jti`. A token that comes again ends nothing, but names the sessions it ended: the
 * process that ended them may have died before they were marked.
 */
async function end(
  { jti, iat, sid, sub }: LogoutClaims,
  { issuer, provider }: SignIn,
  { address, id }: RouteContext,
  { database }: AuthDeps,
): Promise<z.output<typeof EndedRow>> {
  const key = spentKey('logout', `${issuer} ${jti}`);
  const theirs = sessionsOf(issuer, sid, sub);
  // A session that began after the token was issued goes on; iat is in whole seconds.
  const before = sql`s.created_at < to_timestamp(${iat}::float8) + interval '1 second'`;
  const entry = {
    who: provider,
    what: 'session_ended',
    from: address,
    run: id,
    detail: { why: WHY },
  } as const;
  const [row] = await database.query(
    sql`with spent as (
        insert into sallyport_spent (key, expires_at) values (${key}, now() + interval '1 hour')
        on conflict (key) do nothing returning key
      ), ended as (${sessionEnding(sql`${theirs} and ${before} and exists (select from spent)`, WHY)}),
      audited as (${auditInsert(entry, sql`ended`, sql`ended.user_id`)})
      select exists (select from spent) as fresh,
        array(select id from ended union
          select ${SESSION_CALLER} from sessions s where ${theirs} and s.revoked and s.revoked_reason = ${WHY}::text
            and s.access_token_expires_at > now()) as callers`,
    EndedRow,
  );
  return row ?? { fresh: false, callers: [] };
}

const WHY = 'ended at the provider';

/** §2.6: of the session that `sid` names, else all of the subject. */
function sessionsOf(issuer: string, sid: string | undefined, sub: string | undefined): Sql {
  const named = sid === undefined ? sql`f.subject = ${sub ?? ''}::text` : sql`f.provider_sid = ${sid}::text`;
  const both = sid !== undefined && sub !== undefined ? sql` and f.subject = ${sub}::text` : sql``;
  return sql`s.session_id in (select f.session_id from sallyport_sessions f where f.issuer = ${issuer}::text and ${named}${both})`;
}

function invalid(reason: string): Refusal {
  return new Refusal('invalid_request', reason, {
    detail: 'The logout token is not accepted.',
    headers: { 'cache-control': 'no-store' },
  });
}

import * as z from 'zod';
import type { OwnRoute, RouteContext } from '../../../shared/edge/frame.ts';
import { refusalPage } from '../../../shared/edge/page.ts';
import { Refusal } from '../../../shared/errors.ts';
import { auditInsert } from '../../../shared/people/audit.ts';
import { sql, type Sql } from '../../../shared/ports/database.ts';
import { endedCookies } from '../../../shared/sessions/cookies.ts';
import { markEnded } from '../../../shared/sessions/revocation.ts';
import { sessionEnding, which, type Ending } from '../../../shared/sessions/store.ts';
import { uuidOf } from '../../../shared/uuid.ts';
import { requireCaller, type Caller } from '../caller.ts';
import type { AuthDeps } from '../deps.ts';
import { answerJson, formBody, isForm, noContent, optionalBody, seeOther } from '../http.ts';
import { localPath } from '../oauth/return-to.ts';
import { migrationOf, userOf } from '../user.ts';
import { deadlineOf } from './migration.ts';

const Logout = z.object({ everywhere: z.boolean().nullish() });
/** Of a page that works without scripts: its answer leads on. */
const LogoutForm = z.object({ return_to: z.string().optional() });
const EndedRow = z.object({ id: z.string() });
const SESSIONS = '/api/v1/auth/sessions';

/** The routes by which people see and end their own sessions. */
export function ownSessionRoutes(deps: AuthDeps): OwnRoute[] {
  const called = async (request: Request, context: RouteContext) => requireCaller(request, context, deps);
  const signedOut = (context: RouteContext) => {
    context.setCookies(endedCookies(deps.sessions));
  };
  return [
    {
      path: '/api/v1/auth/me',
      methods: ['GET'],
      quota: 'coarse',
      async answer(request, context) {
        const { session } = await called(request, context);
        const { sessionId: id, method: auth_method, createdAt } = session;
        const shown = { id, auth_method, created_at: createdAt.toISOString() };
        const migration = migrationOf({ ...session, deadline: await deadlineOf(session, deps) }, deps);
        return answerJson({ ...userOf(session), session: shown, migration });
      },
    },
    {
      path: '/api/v1/auth/logout',
      methods: ['POST'],
      quota: 'coarse',
      page: (shown, requestId) => refusalPage(shown, requestId),
      async answer(request, context) {
        const caller = await called(request, context).catch(goneAlready(request));
        const form = isForm(request) ? await formBody(context, LogoutForm) : undefined;
        const done = () =>
          form === undefined
            ? noContent()
            : seeOther(localPath(form.return_to ?? null, deps.sessions.publicUrl));
        if (caller === undefined) {
          signedOut(context);
          return done();
        }
        const everywhere = form === undefined && (await optionalBody(context, Logout)).everywhere;
        const { userId, sessionId } = caller.session;
        if (everywhere === true)
          await end(which.allOf(sql`${userId}::uuid`), 'signed out everywhere', caller, context, deps);
        else await end(which.session(sessionId), 'signed out', caller, context, deps);
        if (caller.byCookie) signedOut(context);
        return done();
      },
    },
    {
      path: SESSIONS,
      methods: ['GET'],
      quota: 'coarse',
      async answer(request, context) {
        const { session } = await called(request, context);
        return answerJson({ sessions: await listed(session, deps) });
      },
    },
    {
      path: `${SESSIONS}/`,
      methods: ['DELETE'],
      quota: 'coarse',
      async answer(request, context) {
        const caller = await called(request, context);
        const id = uuidOf(new URL(request.url).pathname.slice(SESSIONS.length + 1));
        const { userId, sessionId } = caller.session;
        const own = id === null ? null : sql`${which.session(id)} and s.user_id = ${userId}::uuid`;
        if (own === null || (await end(own, 'ended by its user', caller, context, deps)) === 0)
          throw new Refusal('not_found', 'no living session of the caller has this id', {
            detail: 'None of your sessions has this id.',
          });
        if (id === sessionId && caller.byCookie) signedOut(context);
        return noContent();
      },
    },
  ];
}

/** Undefined for a request by cookie whose session is over, and for a form without one: cookies are removed all the same. */
function goneAlready(request: Request): (error: unknown) => undefined {
  return (error) => {
    const code = error instanceof Refusal ? error.code : undefined;
    const over = code === 'invalid_token' || (code === 'missing_token' && isForm(request));
    if (!over || request.headers.has('authorization')) throw error;
  };
}

/** Ends sessions of the caller; returns how many. From then on their access tokens are refused on every instance. */
async function end(
  sessions: Sql,
  why: Ending,
  { session }: Caller,
  { address, id }: RouteContext,
  deps: AuthDeps,
): Promise<number> {
  const entry = {
    who: session.userId,
    what: why === 'ended by its user' ? 'session_ended' : 'signed_out',
    subject: session.userId,
    from: address,
    run: id,
    detail: { why },
  } as const;
  const rows = await deps.database.query(
    sql`with ended as (${sessionEnding(sessions, why)}),
        audited as (${auditInsert(entry, sql`(select from ended limit 1) as one`)})
        select id from ended`,
    EndedRow,
  );
  const ids = rows.map((row) => row.id);
  await markEnded(ids, deps);
  return ids.length;
}

const ListedRow = z.object({
  id: z.string(),
  auth_method: z.string(),
  device: z.string().nullable(),
  address: z.string().nullable(),
  created_at: z.date(),
  last_used_at: z.date(),
  expires_at: z.date(),
  current: z.boolean(),
});

/** Living sessions, also those of the legacy application; the latest used first. */
function listed({ userId, sessionId }: Caller['session'], { database }: AuthDeps) {
  return database.query(
    sql`select session_id as id, auth_method, user_agent as device, host(ip_address) as address, created_at, last_used_at,
          refresh_token_expires_at as expires_at, session_id = ${sessionId}::uuid as current
        from sessions where user_id = ${userId}::uuid and not revoked and refresh_token_expires_at > now()
        order by last_used_at desc, session_id limit 200`,
    ListedRow,
  );
}

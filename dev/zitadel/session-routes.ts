import { randomBytes } from 'node:crypto';
import type { Hono } from 'hono';
import * as z from 'zod';
import type { ZitadelParts } from './app.ts';
import { UserRefused, type User } from './users.ts';

const Checks = z.object({
  user: z.object({ userId: z.string().optional(), loginName: z.string().optional() }).optional(),
  password: z.object({ password: z.string() }).optional(),
});
const CreateSession = z.object({ checks: Checks.default({}) });
const SetSession = z.object({ checks: Checks.default({}), sessionToken: z.string().optional() });

interface Session {
  readonly id: string;
  user: string | undefined;
  passwordAt: string | undefined;
}

/** Larger than a number holds exactly. */
const FIRST_ID = 350_000_000_000_700_000n;
const SET = '/zitadel.session.v2.SessionService/SetSession';
const CREATE = '/zitadel.session.v2.SessionService/CreateSession';

/** The session API, which Zitadel's own sign-in page is made of. A request target is called before a check counts. */
export function sessionRoutes(app: Hono, parts: ZitadelParts): void {
  const { users, credentials, now, onRequest } = parts;
  const sessions = new Map<string, Session>();
  const found = (id: string): Session => {
    const session = sessions.get(id);
    if (session === undefined) throw new UserRefused(404, 'Session not found', 'QUERY-SAder');
    return session;
  };
  const checked = async (session: Session, checks: z.output<typeof Checks>): Promise<void> => {
    if (checks.user !== undefined) session.user = userIn(parts, checks.user).id;
    if (checks.password === undefined) return;
    const user = session.user === undefined ? undefined : users.get(session.user);
    if (user === undefined) throw new UserRefused(400, 'Errors.User.UserIDMissing', 'COMMAND-Sfw3f');
    await credentials.check(user, checks.password.password);
    session.passwordAt = new Date(now()).toISOString();
  };
  const answer = (id: string) => ({
    details: { sequence: '4', changeDate: new Date(now()).toISOString(), resourceOwner: parts.instanceId },
    sessionId: id,
    sessionToken: randomBytes(24).toString('base64url'),
  });
  app.post('/v2/sessions', async (c) => {
    const request = CreateSession.parse(await c.req.json());
    await onRequest(CREATE, request);
    const session: Session = {
      id: String(FIRST_ID + BigInt(sessions.size)),
      user: undefined,
      passwordAt: undefined,
    };
    await checked(session, request.checks);
    sessions.set(session.id, session);
    return c.json(answer(session.id), 201);
  });
  app.patch('/v2/sessions/:id', async (c) => {
    const sessionId = c.req.param('id');
    const session = found(sessionId);
    const request = SetSession.parse(await c.req.json());
    await onRequest(SET, { sessionId, ...request });
    await checked(session, request.checks);
    return c.json(answer(sessionId));
  });
  app.get('/v2/sessions/:id', (c) => {
    const session = found(c.req.param('id'));
    const user = session.user === undefined ? undefined : users.get(session.user);
    return c.json({ session: { id: session.id, factors: factorsOf(session, user) } });
  });
}

function userIn(
  { users }: ZitadelParts,
  { userId, loginName }: { readonly userId?: string | undefined; readonly loginName?: string | undefined },
): User {
  const named = loginName === undefined ? undefined : users.named(loginName);
  const user = userId !== undefined && users.has(userId) ? users.get(userId) : named;
  if (user === undefined || user.state === 'removed')
    throw new UserRefused(404, 'User could not be found', 'QUERY-Dfbg2');
  return user;
}

function factorsOf({ passwordAt }: Session, user: User | undefined): object {
  if (user === undefined) return {};
  const { id, userName, organization, profile } = user;
  return {
    user: { id, loginName: userName, displayName: profile.displayName, organizationId: organization },
    ...(passwordAt !== undefined && { password: { verifiedAt: passwordAt } }),
  };
}

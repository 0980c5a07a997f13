import { Hono } from 'hono';
import { bearerAuth } from 'hono/bearer-auth';
import { HTTPException } from 'hono/http-exception';
import * as z from 'zod';
import { actionRoutes } from './action-routes.ts';
import { configurationRoutes } from './configuration-routes.ts';
import { connectRoutes } from './connect-routes.ts';
import { CheckFailed, Credentials } from './credentials.ts';
import { credentialRoutes } from './credential-routes.ts';
import type { EventStore } from './events.ts';
import { Grants } from './grants.ts';
import { instanceRoutes } from './instance-routes.ts';
import { machineRoutes } from './machine-routes.ts';
import { organizationRoutes } from './organization-routes.ts';
import type { Organizations } from './organizations.ts';
import { policyRoutes } from './policy-routes.ts';
import { grpcCode, problem } from './problems.ts';
import { projectRoutes } from './project-routes.ts';
import { Projections } from './projections.ts';
import { FormRefused } from './rules.ts';
import { mayWrite, permissionsOf } from './rights.ts';
import { sessionRoutes } from './session-routes.ts';
import { Settings } from './settings.ts';
import { introspectionRoute, tokenRoutes } from './token-routes.ts';
import { userRoutes } from './user-routes.ts';
import { ORGANIZATION, UserRefused, type Users } from './users.ts';
import { toEventMessage } from './wire.ts';

export interface ZitadelParts {
  readonly instanceId: string;
  readonly token: string;
  readonly store: EventStore;
  readonly users: Users;
  /** Waited for before a command is answered. */
  readonly effects?: (userId: string) => Promise<void>;
  readonly organizations: Organizations;
  readonly grants: Grants;
  readonly projections: Projections;
  readonly credentials: Credentials;
  readonly settings: Settings;
  readonly now: () => number;
  /** Waited for before a request of this method is carried out. */
  readonly onRequest: (fullMethod: string, request: object) => Promise<void>;
}

const Time = z.iso.datetime({ offset: true });
const Whole = z.coerce.number().int().min(0);

/** zitadel.admin.v1.ListEventsRequest. */
const ListEvents = z
  .strictObject({
    sequence: Whole.optional(),
    limit: Whole.optional(),
    asc: z.boolean().optional(),
    editorUserId: z.string().optional(),
    eventTypes: z.array(z.string()).optional(),
    aggregateId: z.string().optional(),
    aggregateTypes: z.array(z.string()).optional(),
    resourceOwner: z.string().optional(),
    creationDate: Time.optional(),
    range: z.strictObject({ since: Time.optional(), until: Time.optional() }).optional(),
    from: Time.optional(),
  })
  .transform(({ range, creationDate, from, ...rest }) => ({
    ...rest,
    // A range makes both of the others count for nothing.
    ...(range === undefined ? { from: from ?? creationDate } : range),
  }));

const LISTS = /\/_?search$|\/List\w+$|^\/v2\/users$/;

type Least = 'instanceId' | 'token' | 'store' | 'users' | 'organizations';

export function zitadelApp(given: Pick<ZitadelParts, Least> & Partial<ZitadelParts>): Hono {
  const { users, organizations, grants = new Grants() } = given;
  const parts: ZitadelParts = {
    grants,
    projections: new Projections({ users, organizations, grants }, false),
    credentials: new Credentials(given.users),
    settings: new Settings(given.store, given.instanceId, ORGANIZATION, false),
    now: () => Date.now(),
    onRequest: () => Promise.resolve(),
    ...given,
  };
  const { instanceId, token, store, settings } = parts;
  const app = new Hono();
  introspectionRoute(app, parts, (text) => isLiving(parts, text));
  app.use(
    bearerAuth({
      verifyToken: (text) => text === token || isLiving(parts, text),
      noAuthenticationHeader: {
        wwwAuthenticateHeader: 'Bearer',
        message: { code: 16, message: 'auth header missing' },
      },
      invalidToken: {
        wwwAuthenticateHeader: 'Bearer',
        message: problem(16, 'Errors.Token.Invalid', 'AUTH-7fs1e'),
      },
    }),
  );
  app.use(async (c, next) => {
    if (c.req.method !== 'GET' && !LISTS.test(c.req.path)) {
      if (!mayWrite(settings, c.req.header('authorization')))
        throw new UserRefused(403, 'No matching permissions found', 'AUTH-AWfge');
      parts.projections.beforeCommand();
      settings.beforeCommand();
    }
    await next();
  });
  app.get('/admin/v1/instances/me', (c) =>
    c.json({
      instance: {
        ...{ id: instanceId, details: settings.details('change'), state: 'STATE_RUNNING', name: 'stand-in' },
        ...{ version: '4.x-stand-in', domains: [{ domain: 'localhost', primary: true }] },
      },
    }),
  );
  app.post('/admin/v1/events/_search', async (c) => {
    const query = ListEvents.parse(await c.req.json());
    const events = store.search(query).map(toEventMessage);
    // Protobuf leaves out a list that is empty.
    return c.json(events.length === 0 ? {} : { events });
  });
  app.get('/v2/features/instance', (c) => c.json({ loginV2: { required: true, source: 'SOURCE_INSTANCE' } }));
  app.post('/auth/v1/permissions/zitadel/me/_search', (c) =>
    c.json({ result: permissionsOf(settings, c.req.header('authorization')) }),
  );
  userRoutes(app, parts);
  credentialRoutes(app, parts);
  organizationRoutes(app, parts);
  connectRoutes(app, parts);
  projectRoutes(app, parts);
  machineRoutes(app, parts);
  tokenRoutes(app, parts);
  instanceRoutes(app, parts);
  policyRoutes(app, parts);
  actionRoutes(app, parts);
  configurationRoutes(app, parts);
  sessionRoutes(app, parts);
  app.onError((error, c) => {
    if (error instanceof HTTPException) return error.getResponse();
    if (error instanceof CheckFailed) return c.json(wrongPassword(error), 400);
    if (error instanceof UserRefused)
      return c.json(problem(grpcCode(error.status, error.id), error.reason, error.id), error.status);
    if (error instanceof FormRefused) return c.json({ code: 3, message: error.message }, 400);
    if (error instanceof SyntaxError) return c.json({ code: 3, message: 'unexpected EOF' }, 400);
    return c.json({ code: 3, message: error.message }, 400);
  });
  app.notFound((c) => c.json({ code: 5, message: 'Not Found' }, 404));
  return app;
}

function isLiving({ settings, users, now }: ZitadelParts, token: string): boolean {
  const pat = settings.now.pats.find((each) => each.token === token);
  return pat !== undefined && Date.parse(pat.expires) > now() && users.get(pat.userId).state === 'active';
}

function wrongPassword({ message, failedAttempts }: CheckFailed) {
  const id = 'COMMAND-3M0fs';
  const type = 'type.googleapis.com/zitadel.v1.CredentialsCheckError';
  return {
    code: 3,
    message: `${message} (${id})`,
    details: [{ '@type': type, id, message, failedAttempts }],
  };
}

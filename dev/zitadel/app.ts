import { Hono } from 'hono';
import { bearerAuth } from 'hono/bearer-auth';
import { HTTPException } from 'hono/http-exception';
import * as z from 'zod';
import type { EventStore } from './events.ts';
import { UserRefused, type User, type Users } from './users.ts';
import { toDetails, toEventMessage, toUserMessage } from './wire.ts';

export interface ZitadelParts {
  readonly instanceId: string;
  readonly token: string;
  readonly store: EventStore;
  readonly users: Users;
  /** Waited for before a command is answered. */
  readonly effects?: (userId: string) => Promise<void>;
}

const Time = z.iso.datetime({ offset: true }).transform((text) => new Date(text));
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

const CreateUser = z.object({
  organizationId: z.string().optional(),
  userId: z.string().optional(),
  username: z.string().optional(),
  human: z.object({ email: z.object({ email: z.string() }) }),
});

const UpdateUser = z.object({
  username: z.string().optional(),
  human: z.object({ email: z.object({ email: z.string() }) }).optional(),
});

/** gRPC codes, as the gateway of Zitadel writes them. */
const GRPC: Readonly<Record<number, number>> = { 400: 9, 401: 16, 404: 5 };

export function zitadelApp({
  instanceId,
  token,
  store,
  users,
  effects = () => Promise.resolve(),
}: ZitadelParts): Hono {
  const app = new Hono();
  app.use(bearerAuth({ token, noAuthenticationHeader: UNAUTHENTICATED, invalidToken: UNAUTHENTICATED }));
  app.get('/admin/v1/instances/me', (c) =>
    c.json({ instance: { id: instanceId, state: 'STATE_RUNNING', name: 'stand-in' } }),
  );
  app.post('/admin/v1/events/_search', async (c) => {
    const query = ListEvents.parse(await c.req.json());
    return c.json({ events: store.search(query).map(toEventMessage) });
  });
  userRoutes(app, users, effects);
  app.onError((error, c) => {
    if (error instanceof HTTPException) return error.getResponse();
    const status = error instanceof UserRefused ? error.status : 400;
    return c.json({ code: GRPC[status], message: error.message, details: [] }, status);
  });
  return app;
}

const UNAUTHENTICATED = {
  wwwAuthenticateHeader: 'Bearer',
  message: { code: GRPC[401], message: 'Errors.Token.Invalid (AUTH-7fs1e)', details: [] },
};

/** Not of Zitadel: `lost` lets the deliveries of this command go astray. */
const DELIVERY = 'x-demo-delivery';

function userRoutes(app: Hono, users: Users, effects: (userId: string) => Promise<void>): void {
  app.post('/v2/users/new', async (c) => {
    const { organizationId, userId, username, human } = CreateUser.parse(await c.req.json());
    const create = () =>
      users.create({
        userName: username ?? human.email.email,
        email: human.email.email,
        ...(userId !== undefined && { id: userId }),
        ...(organizationId !== undefined && { organization: organizationId }),
      });
    const user = c.req.header(DELIVERY) === 'lost' ? users.lost(create) : create();
    await effects(user.id);
    return c.json({ id: user.id, creationDate: user.events[0]?.creationDate });
  });
  app.use('/v2/users/:id/*', async (c, next) => {
    await next();
    if (c.req.method !== 'GET' && c.res.ok) await effects(c.req.param('id'));
  });
  app.get('/v2/users/:id', (c) => {
    const user = users.get(c.req.param('id'));
    if (user.state === 'removed') throw new UserRefused(404, 'User could not be found (QUERY-Dfbg2)');
    return c.json({ details: toDetails(user), user: toUserMessage(user) });
  });
  app.patch('/v2/users/:id', async (c) => {
    const { username, human } = UpdateUser.parse(await c.req.json());
    const id = c.req.param('id');
    if (username !== undefined) users.rename(id, username);
    if (human !== undefined) users.changeEmail(id, human.email.email);
    return c.json({ changeDate: users.get(id).events.at(-1)?.creationDate });
  });
  for (const command of ['deactivate', 'reactivate', 'lock', 'unlock'] as const) {
    app.post(`/v2/users/:id/${command}`, (c) => c.json(changed(users[command](c.req.param('id')))));
  }
  app.delete('/v2/users/:id', (c) => c.json(changed(users.remove(c.req.param('id')))));
}

function changed(user: User): { readonly details: Readonly<Record<string, unknown>> } {
  return { details: toDetails(user) };
}

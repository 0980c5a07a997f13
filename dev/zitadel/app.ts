import { Hono } from 'hono';
import { bearerAuth } from 'hono/bearer-auth';
import { HTTPException } from 'hono/http-exception';
import * as z from 'zod';
import type { EventStore } from './events.ts';
import type { Organizations } from './organizations.ts';
import { UserRefused, type User, type Users } from './users.ts';
import { toDetails, toEventMessage, toTimestamp, toUserMessage } from './wire.ts';

export interface ZitadelParts {
  readonly instanceId: string;
  readonly token: string;
  readonly store: EventStore;
  readonly users: Users;
  /** Waited for before a command is answered. */
  readonly effects?: (userId: string) => Promise<void>;
  readonly organizations: Organizations;
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

const CreateUser = z.object({
  organizationId: z.string().optional(),
  userId: z.string().optional(),
  username: z.string().optional(),
  human: z.object({ email: z.object({ email: z.string() }) }).optional(),
  machine: z.object({ name: z.string() }).optional(),
});

const UpdateUser = z.object({
  username: z.string().optional(),
  human: z.object({ email: z.object({ email: z.string() }).optional() }).optional(),
  machine: z.object({}).optional(),
});

const CreateOrganization = z.object({ name: z.string(), organizationId: z.string().optional() });

/** gRPC codes, as the gateway of Zitadel writes them. */
const GRPC: Readonly<Record<number, number>> = { 400: 9, 404: 5, 409: 6 };

export function zitadelApp({
  instanceId,
  token,
  store,
  users,
  organizations,
  effects = () => Promise.resolve(),
}: ZitadelParts): Hono {
  const app = new Hono();
  app.use(
    bearerAuth({
      token,
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
  app.get('/admin/v1/instances/me', (c) =>
    c.json({ instance: { id: instanceId, state: 'STATE_RUNNING', name: 'stand-in' } }),
  );
  app.post('/admin/v1/events/_search', async (c) => {
    const query = ListEvents.parse(await c.req.json());
    const events = store.search(query).map(toEventMessage);
    // Protobuf leaves out a list that is empty.
    return c.json(events.length === 0 ? {} : { events });
  });
  userRoutes(app, users, effects);
  organizationRoutes(app, organizations);
  app.onError((error, c) => {
    if (error instanceof HTTPException) return error.getResponse();
    if (!(error instanceof UserRefused)) return c.json({ code: 3, message: error.message }, 400);
    return c.json(problem(GRPC[error.status] ?? 2, error.reason, error.id), error.status);
  });
  return app;
}

/** google.rpc.Status, with the one detail that Zitadel gives. */
function problem(code: number, reason: string, id?: string) {
  const detail = {
    '@type': 'type.googleapis.com/zitadel.v1.ErrorDetail',
    ...(id && { id }),
    message: reason,
  };
  return { code, message: `${reason} (${id ?? ''})`, details: [detail] };
}

/** Not of Zitadel: `lost` lets the deliveries of this command go astray. */
const DELIVERY = 'x-demo-delivery';

function userRoutes(app: Hono, users: Users, effects: (userId: string) => Promise<void>): void {
  app.post('/v2/users/new', async (c) => {
    const { organizationId, userId, username, human, machine } = CreateUser.parse(await c.req.json());
    const email = human?.email.email;
    const user = {
      userName: username ?? email ?? machine?.name ?? '',
      ...(email !== undefined && { email }),
      ...(userId !== undefined && { id: userId }),
      ...(organizationId !== undefined && { organization: organizationId }),
    };
    const create = () => (human === undefined ? users.createMachine(user) : users.create(user));
    const made = c.req.header(DELIVERY) === 'lost' ? users.lost(create) : create();
    await effects(made.id);
    return c.json({ id: made.id, creationDate: toTimestamp(made.events[0]?.creationDate) });
  });
  app.use('/v2/users/:id/*', async (c, next) => {
    await next();
    if (c.req.method !== 'GET' && c.res.ok) await effects(c.req.param('id'));
  });
  app.get('/v2/users/:id', (c) => {
    const user = users.get(c.req.param('id'));
    if (user.state === 'removed') throw new UserRefused(404, 'User could not be found', 'QUERY-Dfbg2');
    return c.json({ details: toDetails(user), user: toUserMessage(user) });
  });
  app.patch('/v2/users/:id', async (c) => {
    const { username, human, machine } = UpdateUser.parse(await c.req.json());
    // A user name alone: the real one does not know what it would change.
    if (human === undefined && machine === undefined)
      return c.json(problem(12, 'user type is not implemented'), 501);
    const id = c.req.param('id');
    if (username !== undefined) users.rename(id, username);
    if (human?.email !== undefined) users.changeEmail(id, human.email.email);
    return c.json({ changeDate: toTimestamp(users.get(id).events.at(-1)?.creationDate) });
  });
  for (const command of ['deactivate', 'reactivate', 'lock', 'unlock'] as const) {
    app.post(`/v2/users/:id/${command}`, (c) => c.json(changed(users[command](c.req.param('id')))));
  }
  app.delete('/v2/users/:id', (c) => c.json(changed(users.remove(c.req.param('id')))));
}

function changed(user: User): { readonly details: Readonly<Record<string, unknown>> } {
  return { details: toDetails(user) };
}

function organizationRoutes(app: Hono, organizations: Organizations): void {
  app.post('/v2/organizations', async (c) => {
    const { organizationId } = CreateOrganization.parse(await c.req.json());
    const { aggregateId, creationDate, sequence } = organizations.create(organizationId);
    const details = {
      sequence: String(sequence),
      changeDate: toTimestamp(creationDate),
      resourceOwner: aggregateId,
    };
    return c.json({ details, organizationId: aggregateId }, 201);
  });
  for (const command of ['deactivate', 'activate'] as const) {
    app.post(`/v2/organizations/:id/${command}`, (c) =>
      c.json({ changeDate: toTimestamp(organizations[command](c.req.param('id')).creationDate) }),
    );
  }
  app.delete('/v2/organizations/:id', (c) =>
    c.json({ deletionDate: toTimestamp(organizations.remove(c.req.param('id')).creationDate) }),
  );
}

import type { Hono } from 'hono';
import * as z from 'zod';
import type { ZitadelParts } from './app.ts';
import { newCode } from './credentials.ts';
import { problem } from './problems.ts';
import { FormRefused, mustBeHash, mustBeId, mustBeMail, mustBeName, mustBePassword } from './rules.ts';
import { ORGANIZATION, UserRefused, type User } from './users.ts';
import type { Machine } from './user.ts';
import { listUsers } from './user-search.ts';
import { toDetails, toTimestamp, toUserMessage } from './wire.ts';

const Email = z.object({
  email: z.string(),
  isVerified: z.boolean().optional(),
  returnCode: z.object({}).optional(),
});
const Password = z.object({ password: z.string() });
const Hashed = z.object({ hash: z.string() });

const CreateUser = z.object({
  organizationId: z.string().optional(),
  userId: z.string().optional(),
  username: z.string().optional(),
  human: z
    .object({
      profile: z
        .object({ givenName: z.string(), familyName: z.string(), displayName: z.string().optional() })
        .optional(),
      email: Email.optional(),
      password: Password.optional(),
      hashedPassword: Hashed.optional(),
    })
    .optional(),
  machine: z.object({ name: z.string(), description: z.string().optional() }).optional(),
});

const UpdateUser = z.object({
  username: z.string().optional(),
  human: z
    .object({
      profile: z
        .object({ givenName: z.string(), familyName: z.string(), displayName: z.string() })
        .partial()
        .optional(),
      email: Email.optional(),
      password: z.object({ password: Password, hashedPassword: Hashed }).partial().optional(),
    })
    .optional(),
  machine: z.object({}).optional(),
});

/** Not of Zitadel: `lost` lets the deliveries of this command go astray. */
const DELIVERY = 'x-demo-delivery';

export function userRoutes(app: Hono, parts: ZitadelParts): void {
  const { users, credentials, effects = () => Promise.resolve() } = parts;
  app.post('/v2/users/new', async (c) => {
    const request = CreateUser.parse(await c.req.json());
    const { human } = request;
    const user = await newUserOf(parts, request);
    const create = () => (human === undefined ? users.createMachine(user) : users.create(user));
    const made = c.req.header(DELIVERY) === 'lost' ? users.lost(create) : create();
    if (human?.password !== undefined) await credentials.setPassword(made.id, human.password.password);
    await effects(made.id);
    const creationDate = toTimestamp(made.events[0]?.creationDate);
    return c.json({ id: made.id, creationDate, ...(human?.email?.returnCode && { emailCode: newCode() }) });
  });
  app.use('/v2/users/:id/*', async (c, next) => {
    await next();
    if (c.req.method !== 'GET' && c.res.ok) await effects(c.req.param('id'));
  });
  app.post('/v2/users', async (c) => c.json(listUsers(parts.projections.of('users'), await c.req.json())));
  app.get('/v2/users/:id', (c) => {
    const user = living(users.get(c.req.param('id')));
    return c.json({ details: toDetails(user), user: toUserMessage(user) });
  });
  app.patch('/v2/users/:id', async (c) => {
    const { username, human, machine } = UpdateUser.parse(await c.req.json());
    // A user name alone names no type of user.
    if (human === undefined && machine === undefined)
      return c.json(problem(12, 'user type is not implemented'), 501);
    const id = c.req.param('id');
    const { userName } = living(users.get(id));
    if (username !== undefined && username !== userName) {
      mustBeFree(parts, username, id);
      users.rename(id, username);
    }
    if (human !== undefined) await changeHuman(parts, id, human);
    const changeDate = toTimestamp(users.get(id).events.at(-1)?.creationDate);
    return c.json({ changeDate, ...(human?.email?.returnCode && { emailCode: newCode() }) });
  });
  for (const command of ['deactivate', 'reactivate', 'lock', 'unlock'] as const) {
    app.post(`/v2/users/:id/${command}`, (c) => c.json(changed(users[command](c.req.param('id')))));
  }
  app.delete('/v2/users/:id', (c) => c.json(changed(removed(parts, c.req.param('id')))));
}

/** Throws UserRefused for a user who was removed. */
export function living(user: User): User {
  if (user.state === 'removed') throw new UserRefused(404, 'User could not be found', 'QUERY-Dfbg2');
  return user;
}

export function changed(user: User): { readonly details: Readonly<Record<string, unknown>> } {
  return { details: toDetails(user) };
}

/** Judged in the order of the real one: form, organisation, id, password, name. */
async function newUserOf(parts: ZitadelParts, request: z.output<typeof CreateUser>) {
  const { organizationId = ORGANIZATION, userId, username, human, machine } = request;
  mustBeId('OrganizationId', organizationId);
  mustBeId('UserId', userId);
  mustBeId('Username', username);
  const { profile, email, hashedPassword, password } = human ?? {};
  if (human !== undefined && email === undefined) throw new FormRefused(NO_EMAIL);
  if (email !== undefined) mustBeMail(email.email);
  if (profile !== undefined) mustBeName('GivenName', profile.givenName);
  if (profile !== undefined) mustBeName('FamilyName', profile.familyName);
  if (organizationId !== ORGANIZATION && !parts.organizations.all.has(organizationId))
    throw new UserRefused(400, 'Organisation not found', 'COMMAND-QXPGs');
  if (userId !== undefined && parts.users.has(userId) && parts.users.get(userId).state !== 'removed')
    throw new UserRefused(400, 'Errors.User.AlreadyExisting', 'COMMAND-7yiox1isql');
  if (hashedPassword !== undefined) mustBeHash(hashedPassword.hash);
  if (password !== undefined) mustBePassword(password.password);
  const userName = username ?? email?.email ?? machine?.name ?? '';
  mustBeFree(parts, userName);
  return {
    userName,
    organization: organizationId,
    emailVerified: email?.returnCode === undefined && email?.isVerified !== false,
    ...(machine && { machine: machineOf(machine) }),
    ...(email && { email: email.email }),
    ...(userId !== undefined && { id: userId }),
    ...(profile && {
      profile: {
        ...profile,
        displayName: profile.displayName ?? `${profile.givenName} ${profile.familyName}`,
      },
    }),
    ...(hashedPassword && { hash: hashedPassword.hash }),
  };
}

export function machineOf({
  name,
  description = '',
}: {
  name: string;
  description?: string | undefined;
}): Machine {
  return { name, ...(description !== '' && { description }) };
}

const NO_EMAIL =
  'invalid CreateUserRequest.Human: embedded message failed validation | caused by: invalid CreateUserRequest_Human.Email: value is required';

function mustBeFree({ users }: ZitadelParts, userName: string, own?: string): void {
  const taken = users.named(userName);
  if (taken !== undefined && taken.id !== own) throw new UserRefused(409, 'User already exists', 'V3-DKcYh');
}

async function changeHuman(
  { users, credentials }: ZitadelParts,
  id: string,
  { profile, email, password }: NonNullable<z.output<typeof UpdateUser>['human']>,
): Promise<void> {
  if (email !== undefined) {
    mustBeMail(email.email);
    users.changeEmail(id, email.email);
    if (email.isVerified === true) users.verifyEmail(id);
  }
  if (profile !== undefined) users.changeProfile(id, withoutUndefined(profile));
  if (password?.hashedPassword !== undefined) {
    mustBeHash(password.hashedPassword.hash);
    users.setPassword(id, password.hashedPassword.hash);
  } else if (password?.password !== undefined) {
    mustBePassword(password.password.password);
    await credentials.setPassword(id, password.password.password);
  }
}

function withoutUndefined<T extends object>(value: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [Key in keyof T]?: Exclude<T[Key], undefined>;
  };
}

/** What a user has goes with them. */
function removed({ users, grants }: ZitadelParts, id: string): User {
  const user = users.remove(id);
  grants.forget(id);
  return user;
}

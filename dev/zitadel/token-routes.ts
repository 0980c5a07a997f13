import type { Hono } from 'hono';
import * as z from 'zod';
import type { ZitadelParts } from './app.ts';
import { userOf } from './machine-routes.ts';
import { UserRefused } from './users.ts';

const NewKey = z.object({
  type: z.literal('KEY_TYPE_JSON').optional(),
  expirationDate: z.iso.datetime({ offset: true }),
});
const Search = z.object({
  pagination: z.object({ offset: z.coerce.number().default(0), limit: z.number().default(100) }).prefault({}),
  filters: z.array(z.object({ userIdFilter: z.object({ id: z.string() }).optional() })).default([]),
});
const Metadata = z.object({ metadata: z.array(z.object({ key: z.string(), value: z.base64() })).min(1) });

interface Key {
  readonly id: string;
  readonly userId: string;
  readonly created: string;
  readonly expires: string;
}

/** Keys and metadata of service accounts, and who administers what. */
export function tokenRoutes(app: Hono, { settings, users, now }: ZitadelParts): void {
  const keys: Key[] = [];
  const date = (): string => new Date(now()).toISOString();
  const create = (userId: string, body: unknown): Key & { readonly content: string } => {
    const { expirationDate: expires } = NewKey.parse(body);
    if (Date.parse(expires) <= now())
      throw new UserRefused(400, 'Errors.AuthNKey.ExpireBeforeNow', 'DOMAIN-dv3t5');
    const id = settings.nextId();
    users.happened(userId, 'user.machine.key.added', { keyId: id, type: 1, expirationDate: expires });
    const key = { id, userId, created: date(), expires };
    keys.push(key);
    const json = { type: 'serviceaccount', keyId: id, key: `not a key: ${settings.secret()}`, userId };
    return { ...key, content: Buffer.from(JSON.stringify(json)).toString('base64') };
  };
  app.post('/v2/users/:id/keys', async (c) => {
    const { created, id, content } = create(c.req.param('id'), await c.req.json());
    return c.json({ creationDate: created, keyId: id, keyContent: content });
  });
  app.post('/management/v1/users/:id/keys', async (c) => {
    const { id, content } = create(c.req.param('id'), await c.req.json());
    return c.json({ keyId: id, keyDetails: content, details: settings.details('creation') });
  });
  app.post('/v2/users/keys/search', async (c) => {
    const { filters, pagination } = Search.parse(await c.req.json());
    const found = keys.filter(({ userId }) =>
      filters.every(({ userIdFilter }) => (userIdFilter?.id ?? userId) === userId),
    );
    const page = found.slice(pagination.offset, pagination.offset + pagination.limit);
    const result = page.map(({ id, userId, created, expires }) => ({
      ...{ creationDate: created, changeDate: created, id, userId },
      ...{ organizationId: users.get(userId).organization, expirationDate: expires },
    }));
    const total = found.length === 0 ? {} : { totalResult: String(found.length) };
    return c.json({ pagination: { ...total, appliedLimit: '100' }, ...(result.length > 0 && { result }) });
  });
  app.delete('/v2/users/:id/keys/:key', (c) => {
    const at = keys.findIndex(({ id }) => id === c.req.param('key'));
    if (at === -1) throw new UserRefused(404, 'Errors.User.Machine.Key.NotFound', 'COMMAND-4m77G');
    keys.splice(at, 1);
    users.happened(c.req.param('id'), 'user.machine.key.removed', { keyId: c.req.param('key') });
    return c.json({ deletionDate: date() });
  });
  app.post('/v2/users/:id/metadata', async (c) => {
    for (const { key, value } of Metadata.parse(await c.req.json()).metadata)
      users.happened(c.req.param('id'), 'user.metadata.set', { key, value });
    return c.json({ setDate: date() });
  });
  app.delete('/v2/users/:id/metadata', (c) => {
    for (const key of c.req.queries('keys') ?? [])
      users.happened(c.req.param('id'), 'user.metadata.removed', { key });
    return c.json({ deletionDate: date() });
  });
  app.post('/zitadel.internal_permission.v2.InternalPermissionService/ListAdministrators', (c) => {
    const administrators = settings.now.members.map(({ userId, roles }) => ({
      ...{ user: { id: userId }, instance: true, roles },
    }));
    return c.json({ pagination: { totalResult: String(administrators.length) }, administrators });
  });
}

/** Introspection of personal access tokens, by any client. Before what asks for a token of the API. */
export function introspectionRoute(
  app: Hono,
  parts: ZitadelParts,
  isLiving: (token: string) => boolean,
): void {
  app.post('/oauth/v2/introspect', async (c) => {
    if (!/^Basic /.test(c.req.header('authorization') ?? ''))
      return c.json({ error: 'unauthorized_client' }, 400);
    const { token } = await c.req.parseBody();
    const pat = parts.settings.now.pats.find((each) => each.token === token);
    if (pat === undefined || !isLiving(pat.token)) return c.json({ active: false });
    const sub = userOf(parts.settings.now.pats, `Bearer ${pat.token}`);
    return c.json({ active: true, jti: pat.id, sub, token_type: 'Bearer' });
  });
}

import type { Hono } from 'hono';
import * as z from 'zod';
import type { ZitadelParts } from './app.ts';
import { FormRefused } from './rules.ts';
import { page, type Pat } from './settings.ts';
import { EDITOR, ORGANIZATION, UserRefused } from './users.ts';

const NewMachine = z.object({
  userName: z.string(),
  name: z.string(),
  description: z.string().default(''),
  accessTokenType: z.string().default('ACCESS_TOKEN_TYPE_BEARER'),
});
const NewPat = z.object({ expirationDate: z.iso.datetime({ offset: true }).optional() });
const Search = z.object({
  filters: z.array(z.object({ userIdFilter: z.object({ id: z.string() }).optional() })).default([]),
});

/** Service accounts and their personal access tokens. */
export function machineRoutes(app: Hono, { settings, users, now }: ZitadelParts): void {
  const { pats } = settings.now;
  app.get('/auth/v1/users/me', (c) =>
    c.json({
      user: { id: userOf(settings.now.pats, c.req.header('authorization')), state: 'USER_STATE_ACTIVE' },
    }),
  );
  app.post('/management/v1/users/machine', async (c) => {
    const { userName, ...machine } = NewMachine.parse(await c.req.json());
    if (users.named(userName) !== undefined) throw new UserRefused(409, 'User already exists', 'V3-DKcYh');
    const organization = c.req.header('x-zitadel-orgid') ?? ORGANIZATION;
    const { id } = users.createMachine({ userName, organization, machine });
    return c.json({ userId: id, details: settings.details('change', organization) });
  });
  app.put('/management/v1/users/:id/machine', async (c) => {
    const machine = NewMachine.omit({ userName: true }).parse(await c.req.json());
    users.changeMachine(c.req.param('id'), machine);
    return c.json({ details: settings.details('change') });
  });
  const create = (userId: string, body: unknown): Pat => {
    const { expirationDate } = NewPat.parse(body);
    if (expirationDate === undefined)
      throw new FormRefused('invalid AddPersonalAccessTokenRequest.ExpirationDate: value is required');
    if (Date.parse(expirationDate) <= now())
      throw new UserRefused(400, 'Errors.AuthNKey.ExpireBeforeNow', 'DOMAIN-dv3t5');
    const id = settings.nextId();
    const created = new Date(now()).toISOString();
    users.happened(userId, 'user.pat.added', { tokenId: id, expiration: expirationDate, scopes: [] });
    const pat = { id, userId, created, expires: expirationDate, token: settings.secret() };
    pats.push(pat);
    return pat;
  };
  app.post('/v2/users/:id/pats', async (c) => {
    const { created, id, token } = create(c.req.param('id'), await c.req.json());
    return c.json({ creationDate: created, tokenId: id, token });
  });
  app.post('/management/v1/users/:id/pats', async (c) => {
    const { id, token } = create(c.req.param('id'), await c.req.json());
    return c.json({ tokenId: id, token, details: settings.details('creation') });
  });
  app.post('/v2/users/pats/search', async (c) => {
    const { filters } = Search.parse(await c.req.json());
    const found = settings
      .view('pats')
      .filter(({ userId }) => filters.every(({ userIdFilter }) => (userIdFilter?.id ?? userId) === userId));
    const result = found.map(({ id, userId, created, expires }) => ({
      ...{ creationDate: created, changeDate: created, id, userId },
      ...{ organizationId: users.get(userId).organization, expirationDate: expires },
    }));
    if (result.length === 0) return c.json({ pagination: { appliedLimit: '100' } });
    return c.json({ pagination: { totalResult: String(result.length), appliedLimit: '100' }, result });
  });
  app.post('/management/v1/users/:id/pats/_search', (c) => {
    const found = settings.view('pats').filter(({ userId }) => userId === c.req.param('id'));
    return c.json(
      page(
        found.map(({ id, expires }) => ({ id, expirationDate: expires })),
        undefined,
      ),
    );
  });
  for (const path of ['/v2/users/:id/pats/:pat', '/management/v1/users/:id/pats/:pat'])
    app.delete(path, (c) => {
      const at = pats.findIndex(({ id }) => id === c.req.param('pat'));
      if (at === -1) throw new UserRefused(404, 'Errors.PersonalAccessToken.NotFound', 'COMMAND-4m77G');
      pats.splice(at, 1);
      users.happened(c.req.param('id') ?? '', 'user.pat.removed', { tokenId: c.req.param('pat') });
      return c.json({ deletionDate: new Date(now()).toISOString() });
    });
}

/** Whose token it is; that of the stand-in is the service account's. */
export function userOf(pats: readonly Pat[], authorization = ''): string {
  return pats.find(({ token }) => authorization === `Bearer ${token}`)?.userId ?? EDITOR;
}

import type { Hono } from 'hono';
import * as z from 'zod';
import type { ZitadelParts } from './app.ts';
import { mustBePassword } from './rules.ts';
import { changed, living } from './user-routes.ts';

const InviteCode = z.object({ returnCode: z.object({}).optional() });
const Verification = z.object({ verificationCode: z.string() });
const NewPassword = z.object({ newPassword: z.object({ password: z.string() }) });

export function credentialRoutes(app: Hono, { users, credentials }: ZitadelParts): void {
  app.post('/v2/users/:id/invite_code', async (c) => {
    const { returnCode } = InviteCode.parse(await c.req.json());
    const id = c.req.param('id');
    const inviteCode = credentials.invite(id);
    return c.json({ ...changed(users.get(id)), ...(returnCode && { inviteCode }) });
  });
  app.post('/v2/users/:id/invite_code/verify', async (c) => {
    const { verificationCode } = Verification.parse(await c.req.json());
    const id = c.req.param('id');
    credentials.verifyInvite(id, verificationCode);
    return c.json(changed(users.get(id)));
  });
  app.post('/v2/users/:id/password', async (c) => {
    const { newPassword } = NewPassword.parse(await c.req.json());
    const { id } = living(users.get(c.req.param('id')));
    mustBePassword(newPassword.password);
    return c.json(changed(await credentials.setPassword(id, newPassword.password)));
  });
  app.get('/v2/users/:id/authentication_methods', (c) => {
    const { hash, events } = living(users.get(c.req.param('id')));
    const timestamp = events.at(-1)?.creationDate;
    if (hash === undefined) return c.json({ details: { timestamp } });
    const authMethodTypes = ['AUTHENTICATION_METHOD_TYPE_PASSWORD'];
    return c.json({ details: { totalResult: '1', timestamp }, authMethodTypes });
  });
}

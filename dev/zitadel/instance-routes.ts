import type { Hono } from 'hono';
import * as z from 'zod';
import type { ZitadelParts } from './app.ts';
import { FormRefused } from './rules.ts';
import { page, proto, without, type Entry, type Json } from './settings.ts';
import { ORGANIZATION, UserRefused } from './users.ts';

const ROLES = [
  ...['IAM_OWNER', 'IAM_OWNER_VIEWER', 'IAM_ORG_MANAGER', 'IAM_USER_MANAGER', 'IAM_LOGIN_CLIENT'],
  ...['IAM_ADMIN_IMPERSONATOR', 'IAM_END_USER_IMPERSONATOR'],
];
const Roles = z.object({ roles: z.array(z.string()) });
const NewMember = Roles.extend({ userId: z.string() });
const Query = z.looseObject({ query: z.unknown().optional() });

/** Administrators, mail servers and identity providers of the instance. */
export function instanceRoutes(app: Hono, parts: ZitadelParts): void {
  memberRoutes(app, parts);
  emailRoutes(app, parts);
  idpRoutes(app, parts);
  app.post('/admin/v1/sms/_search', (c) => c.json(page([], undefined)));
}

function memberRoutes(app: Hono, { settings, users }: ZitadelParts): void {
  const organizationMembers = new Set<string>();
  const mustBeRoles = (roles: readonly string[]): void => {
    if (!roles.every((role) => ROLES.includes(role)))
      throw new UserRefused(400, 'Member is invalid', 'INSTANCE-3m9fs');
  };
  const add = ({ userId, roles }: z.output<typeof NewMember>): Json => {
    const { members } = settings.now;
    if (members.some((each) => each.userId === userId))
      throw new UserRefused(409, 'Errors.Instance.Member.AlreadyExists', 'INSTA-pFDwe');
    mustBeRoles(roles);
    const user = users.get(userId);
    const userType = user.machine === undefined ? 'TYPE_HUMAN' : 'TYPE_MACHINE';
    const of = { userType, userResourceOwner: user.organization, preferredLoginName: user.userName };
    members.push({ userId, roles, ...of });
    return { details: settings.details('creation') };
  };
  app.post('/admin/v1/members', async (c) => c.json(add(NewMember.parse(await c.req.json()))));
  app.put('/admin/v1/members/:id', async (c) => {
    const { roles } = Roles.parse(await c.req.json());
    mustBeRoles(roles);
    const found = settings.now.members.find(({ userId }) => userId === c.req.param('id'));
    if (found === undefined) throw new UserRefused(404, 'Member not found', 'INSTANCE-D8JxR');
    found.roles = roles;
    return c.json({ details: settings.details('change') });
  });
  app.post('/admin/v1/members/_search', async (c) =>
    c.json(page(settings.view('members'), Query.parse(await c.req.json()).query)),
  );
  app.post('/management/v1/orgs/me/members', async (c) => {
    const { userId } = NewMember.parse(await c.req.json());
    const organization = c.req.header('x-zitadel-orgid') ?? ORGANIZATION;
    const key = `${organization} ${userId}`;
    if (organizationMembers.has(key))
      throw new UserRefused(409, 'Errors.Org.Member.AlreadyExists', 'ORG-poWwe');
    organizationMembers.add(key);
    return c.json({ details: settings.details('creation', organization) });
  });
}

const Smtp = z.object({
  senderAddress: z.string(),
  senderName: z.string().default(''),
  tls: z.boolean().default(false),
  host: z.string(),
  user: z.string().default(''),
  password: z.string().optional(),
  replyToAddress: z.string().default(''),
  description: z.string().default(''),
});

function emailRoutes(app: Hono, { settings }: ZitadelParts): void {
  const { email } = settings.now;
  const find = (id: string): Entry => {
    const found = email.find((each) => each.id === id);
    if (found === undefined) throw new UserRefused(404, 'SMTP configuration not found', 'COMMAND-x8vo9');
    return found;
  };
  const valueOf = ({ description, ...smtp }: z.output<typeof Smtp>): Json => {
    if (!/:\d+$/.test(smtp.host)) throw new UserRefused(400, 'Errors.Invalid.Argument', 'COMMAND-EvAtufIinh');
    const auth = smtp.user === '' ? { none: {} } : { plain: {} };
    return proto({ description, smtp: { ...proto(without(smtp, 'password')), ...auth } });
  };
  for (const path of ['/admin/v1/email/smtp', '/admin/v1/smtp'])
    app.post(path, async (c) => {
      const value = valueOf(Smtp.parse(await c.req.json()));
      const id = settings.nextId();
      email.push({ id, value: { state: 'EMAIL_PROVIDER_INACTIVE', ...value } });
      settings.happened('instance.smtp.config.added', { id });
      return c.json({ details: settings.details('change'), id });
    });
  app.put('/admin/v1/email/smtp/:id', async (c) => {
    const found = find(c.req.param('id'));
    found.value = { state: found.value['state'], ...valueOf(Smtp.parse(await c.req.json())) };
    return c.json({ details: settings.details('change') });
  });
  app.post('/admin/v1/email/smtp/:id/_test', (c) =>
    c.json({ code: 12, message: 'method TestEmailProviderSMTPById not implemented' }, 501),
  );
  app.post('/admin/v1/email/smtp/_test', (c) => c.json({}));
  app.post('/admin/v1/email/http', (c) => {
    const id = settings.nextId();
    email.push({ id, value: { state: 'EMAIL_PROVIDER_INACTIVE', http: {} } });
    return c.json({ details: settings.details('change'), id, signingKey: settings.secret() });
  });
  app.post('/admin/v1/email/_search', async (c) => {
    const all = settings
      .view('email')
      .map(({ id, value }) => ({ details: settings.details('change'), id, ...value }));
    return c.json(page(all, Query.parse(await c.req.json()).query));
  });
  const activity = (id: string, state: 'ACTIVE' | 'INACTIVE'): Json => {
    const found = find(id);
    if (found.value['state'] === `EMAIL_PROVIDER_${state}`)
      throw new UserRefused(400, 'Errors.SMTPConfig.AlreadyActive', 'COMMAND-vUHBSmBzaw');
    if (state === 'ACTIVE')
      for (const each of email) each.value = { ...each.value, state: 'EMAIL_PROVIDER_INACTIVE' };
    found.value = { ...found.value, state: `EMAIL_PROVIDER_${state}` };
    return { details: settings.details('creation') };
  };
  app.post('/admin/v1/email/:id/_activate', (c) => c.json(activity(c.req.param('id'), 'ACTIVE')));
  app.post('/admin/v1/email/:id/_deactivate', (c) => c.json(activity(c.req.param('id'), 'INACTIVE')));
  app.get('/admin/v1/email', (c) => {
    const active = settings.view('email').find(({ value }) => value['state'] === 'EMAIL_PROVIDER_ACTIVE');
    if (active === undefined) throw new UserRefused(404, 'SMTP configuration not found', 'QUERY-fwofw');
    return c.json({ config: { details: settings.details('change'), id: active.id, ...active.value } });
  });
}

const Provider = z.looseObject({
  name: z.string(),
  clientId: z.string().min(1),
  clientSecret: z.string().default(''),
  scopes: z.array(z.string()).default([]),
  providerOptions: z.looseObject({}).default({}),
});

const KINDS = {
  google: { type: 'PROVIDER_TYPE_GOOGLE', member: 'google' },
  azure: { type: 'PROVIDER_TYPE_AZURE_AD', member: 'azureAd' },
} as const;

function idpRoutes(app: Hono, { settings }: ZitadelParts): void {
  const { idps } = settings.now;
  const valueOf = (kind: keyof typeof KINDS, request: z.output<typeof Provider>): Json => {
    const { name, providerOptions, ...config } = request;
    const { type, member } = KINDS[kind];
    return {
      ...{ state: 'IDP_STATE_ACTIVE', name, owner: 'IDP_OWNER_TYPE_SYSTEM', type },
      config: {
        options: proto(providerOptions, ['AUTO_LINKING_OPTION_UNSPECIFIED']),
        [member]: proto(without(config, 'clientSecret')),
      },
    };
  };
  for (const kind of ['google', 'azure'] as const) {
    app.post(`/admin/v1/idps/${kind}`, async (c) => {
      const request = Provider.parse(await c.req.json());
      if (request.clientSecret === '')
        throw new FormRefused(
          'invalid request.ClientSecret: value length must be between 1 and 1000 runes, inclusive',
        );
      const id = settings.nextId();
      idps.push({ id, value: valueOf(kind, request) });
      settings.happened(`instance.idp.${kind}.added`, { id });
      return c.json({ details: settings.details('creation'), id });
    });
    app.put(`/admin/v1/idps/${kind}/:id`, async (c) => {
      const found = idps.find(({ id }) => id === c.req.param('id'));
      if (found === undefined)
        throw new UserRefused(404, 'Identity Provider Configuration not found', 'INST-3m9fs');
      found.value = valueOf(kind, Provider.parse(await c.req.json()));
      return c.json({ details: settings.details('change') });
    });
  }
  app.post('/admin/v1/idps/templates/_search', async (c) => {
    const all = settings
      .view('idps')
      .map(({ id, value }) => ({ id, details: settings.details('change'), ...value }));
    return c.json(page(all, Query.parse(await c.req.json()).query));
  });
}

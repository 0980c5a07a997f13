import type { Context, Hono } from 'hono';
import * as z from 'zod';
import type { ZitadelParts } from './app.ts';
import { page, proto, type Entry, type Json } from './settings.ts';
import { ORGANIZATION, UserRefused } from './users.ts';

const Body = z.looseObject({});

/** By the path: what a new instance has, and what its answer calls it. */
const POLICIES: Readonly<Record<string, Json>> = {
  label: { primaryColor: '#5469d4', warnColor: '#cd3d56', backgroundColor: '#fafafa', fontColor: '#000000' },
  'password/complexity': {
    minLength: '8',
    hasUppercase: true,
    hasLowercase: true,
    hasNumber: true,
    hasSymbol: true,
  },
  'password/age': {},
  lockout: {},
  privacy: {},
  notification: { passwordChange: true },
  domain: {},
};
/** Where a PUT of the instance differs from its GET. */
const WRITTEN: Readonly<Record<string, string>> = { lockout: 'password/lockout' };

/** Policies, texts, domains and scripts, of the instance and of organisations. */
export function configurationRoutes(app: Hono, parts: ZitadelParts): void {
  const { settings, organizations } = parts;
  const { policies } = settings.now;
  const homeOf = (c: Context): string => c.req.header('x-zitadel-orgid') ?? ORGANIZATION;
  const put = (key: string, body: Json, owner: string): Json => {
    const after = proto(body);
    if (JSON.stringify(policies.get(key)) === JSON.stringify(after))
      throw new UserRefused(400, 'Errors.NoChangesFound', 'COMMAND-0f7uW');
    policies.set(key, after);
    return { details: settings.details('change', owner) };
  };
  const read = (c: Context, kind: string, home: string | undefined): Response => {
    const own = home === undefined ? undefined : policies.get(`${kind} ${home}`);
    const policy = own ?? policies.get(kind) ?? POLICIES[kind] ?? {};
    const isDefault = own === undefined ? { isDefault: true } : {};
    return c.json({
      policy: { details: settings.details('change'), ...policy, ...isDefault },
      ...(home !== undefined && isDefault),
    });
  };
  const change = async (c: Context, kind: string, home: string): Promise<Response> => {
    const key = home === '' ? kind : `${kind} ${home}`;
    const added = c.req.method === 'POST';
    if (added && policies.has(key)) throw new UserRefused(409, 'Policy already exists', 'Org-Dgfb2');
    if (!added && home !== '' && !policies.has(key))
      throw new UserRefused(404, 'Policy not found', 'Org-Mvso0');
    return c.json(put(key, Body.parse(await c.req.json()), home));
  };
  for (const kind of Object.keys(POLICIES)) {
    app.get(`/admin/v1/policies/${kind}`, (c) => read(c, kind, undefined));
    app.put(`/admin/v1/policies/${WRITTEN[kind] ?? kind}`, (c) => change(c, kind, ''));
    if (kind === 'domain') continue;
    app.get(`/management/v1/policies/${kind}`, (c) => read(c, kind, homeOf(c)));
    for (const method of ['post', 'put'] as const)
      app[method](`/management/v1/policies/${kind}`, (c) => change(c, kind, homeOf(c)));
  }
  app.get('/admin/v1/orgs/:id/policies/domain', (c) => read(c, 'domain', c.req.param('id')));
  for (const method of ['post', 'put'] as const)
    app[method]('/admin/v1/orgs/:id/policies/domain', (c) => change(c, 'domain', c.req.param('id')));
  for (const base of ['admin', 'management'])
    app.post(`/${base}/v1/policies/label/_activate`, (c) => c.json({ details: settings.details('change') }));
  app.get('/admin/v1/settings/oidc', (c) =>
    c.json({
      settings: {
        details: settings.details('change'),
        ...(policies.get('oidc') ?? { accessTokenLifetime: '43200s' }),
      },
    }),
  );
  app.put('/admin/v1/settings/oidc', async (c) => c.json(put('oidc', Body.parse(await c.req.json()), '')));
  app.get('/admin/v1/orgs/default', (c) =>
    c.json({ org: { id: ORGANIZATION, name: organizations.nameOf(ORGANIZATION) } }),
  );
  app.put('/management/v1/orgs/me', async (c) => {
    const { name } = z.object({ name: z.string() }).parse(await c.req.json());
    organizations.rename(homeOf(c), name);
    return c.json({ details: settings.details('change', homeOf(c)) });
  });
  app.get('/.well-known/openid-configuration', (c) => c.json({ issuer: new URL(c.req.url).origin }));
  textRoutes(app, parts, homeOf);
  domainRoutes(app, parts, homeOf);
  scriptRoutes(app, parts, homeOf);
}

type HomeOf = (c: Context) => string;

const TEMPLATES: Readonly<Record<string, string>> = {
  init: 'InitCode',
  passwordreset: 'PasswordReset',
  login: 'Login',
};

function textRoutes(app: Hono, { settings, organizations }: ZitadelParts, homeOf: HomeOf): void {
  const { policies } = settings.now;
  for (const base of ['admin', 'management'] as const)
    for (const path of ['text/message/:kind/:language', 'text/login/:language']) {
      const keyOf = (c: Context): string => {
        const home = base === 'admin' ? '' : homeOf(c);
        return `text ${c.req.param('kind') ?? 'login'} ${c.req.param('language') ?? ''} ${home}`;
      };
      app.get(`/${base}/v1/${path}`, (c) => {
        const own = policies.get(keyOf(c));
        return c.json({
          customText: { details: settings.details('change'), ...(own ?? { isDefault: true }) },
        });
      });
      app.put(`/${base}/v1/${path}`, async (c) => {
        policies.set(keyOf(c), proto(Body.parse(await c.req.json())));
        const template = TEMPLATES[c.req.param('kind') ?? 'login'] ?? 'InitCode';
        const payload = { key: 'Text', text: '', language: c.req.param('language'), template };
        if (base === 'admin') settings.happened('instance.customtext.set', payload);
        else organizations.happened(homeOf(c), 'org.customtext.set', payload);
        return c.json({ details: settings.details('change') });
      });
    }
}

function domainRoutes(app: Hono, { settings, organizations }: ZitadelParts, homeOf: HomeOf): void {
  const domains = new Map<string, string[]>();
  app.post('/management/v1/orgs/me/domains/_search', (c) => {
    const home = homeOf(c);
    const made = `${organizations.nameOf(home).toLowerCase().replaceAll(' ', '-')}.localhost`;
    const all = [made, ...(domains.get(home) ?? [])];
    return c.json(
      page(
        all.map((domainName) => ({
          orgId: home,
          domainName,
          isVerified: true,
          ...(domainName === made && { isPrimary: true }),
        })),
        undefined,
      ),
    );
  });
  app.post('/management/v1/orgs/me/domains', async (c) => {
    const { domain } = z.object({ domain: z.string() }).parse(await c.req.json());
    domains.set(homeOf(c), [...(domains.get(homeOf(c)) ?? []), domain]);
    return c.json({ details: settings.details('creation', homeOf(c)) });
  });
}

const Script = z.object({
  name: z.string(),
  script: z.string().default(''),
  timeout: z.string().default('0s'),
  allowedToFail: z.boolean().default(false),
});

/** Actions v1. */
function scriptRoutes(app: Hono, { settings }: ZitadelParts, homeOf: HomeOf): void {
  const scripts = new Map<string, Entry[]>();
  const triggers = new Map<string, readonly string[]>();
  const of = (home: string): Entry[] => {
    const all = scripts.get(home) ?? [];
    scripts.set(home, all);
    return all;
  };
  app.post('/management/v1/actions/_search', (c) =>
    c.json(
      page(
        of(homeOf(c)).map(({ id, value }) => ({ id, state: 'ACTION_STATE_ACTIVE', ...value })),
        undefined,
      ),
    ),
  );
  app.post('/management/v1/actions', async (c) => {
    const id = settings.nextId();
    of(homeOf(c)).push({ id, value: proto(Script.parse(await c.req.json())) });
    return c.json({ id, details: settings.details('creation', homeOf(c)) });
  });
  app.put('/management/v1/actions/:id', async (c) => {
    const found = of(homeOf(c)).find(({ id }) => id === c.req.param('id'));
    if (found === undefined) throw new UserRefused(404, 'Action not found', 'COMMAND-Sfg2t');
    found.value = proto(Script.parse(await c.req.json()));
    return c.json({ details: settings.details('change', homeOf(c)) });
  });
  app.get('/management/v1/flows/:flow', (c) => {
    const shown = [...triggers].flatMap(([key, ids]) => {
      const [home, flow, trigger] = key.split(' ');
      if (home !== homeOf(c) || flow !== c.req.param('flow')) return [];
      const actions = ids.flatMap((id) => of(homeOf(c)).filter((each) => each.id === id));
      return [{ triggerType: { id: trigger }, actions: actions.map(({ id, value }) => ({ id, ...value })) }];
    });
    return c.json({
      flow: { type: { id: c.req.param('flow') }, ...(shown.length > 0 && { triggerActions: shown }) },
    });
  });
  app.post('/management/v1/flows/:flow/trigger/:trigger', async (c) => {
    const { actionIds } = z.object({ actionIds: z.array(z.string()).default([]) }).parse(await c.req.json());
    triggers.set(`${homeOf(c)} ${c.req.param('flow')} ${c.req.param('trigger')}`, actionIds);
    return c.json({ details: settings.details('change', homeOf(c)) });
  });
}

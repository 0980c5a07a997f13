import type { Context, Hono } from 'hono';
import * as z from 'zod';
import type { ZitadelParts } from './app.ts';
import { proto, type Json } from './settings.ts';
import { ORGANIZATION, UserRefused } from './users.ts';

const Body = z.looseObject({});
const Factor = z.object({ type: z.string() });
const Idp = z.object({ idpId: z.string() });
const LIFETIMES = [
  ...['passwordCheckLifetime', 'externalLoginCheckLifetime', 'mfaInitSkipLifetime'],
  ...['secondFactorCheckLifetime', 'multiFactorCheckLifetime'],
];
/** Kept apart from what a PUT replaces. */
const APART = ['secondFactors', 'multiFactors', 'idps'];

/** The login policy, of the instance and of organisations. A PUT replaces all that it may change. */
export function policyRoutes(app: Hono, { settings }: ZitadelParts): void {
  const { policies, idps } = settings.now;
  const shown = (policy: Json, inherited: boolean): Json => ({
    details: settings.details('change'),
    ...policy,
    ...(inherited && { isDefault: true }),
  });
  const written = (before: Json, body: Json): Json => {
    const whole = Object.fromEntries(LIFETIMES.map((name) => [name, '0s']));
    const apart = Object.fromEntries(Object.entries(before).filter(([name]) => APART.includes(name)));
    const enums = ['PASSWORDLESS_TYPE_NOT_ALLOWED'];
    return { ...proto({ ...whole, ...body }, enums), ...apart };
  };
  const put = (key: string, body: Json, id: string): Json => {
    const before = policies.get(key) ?? {};
    const after = written(before, body);
    if (same(before, after)) throw new UserRefused(400, 'Default Login Policy has not been changed', id);
    policies.set(key, after);
    return { details: settings.details('change') };
  };
  app.get('/admin/v1/policies/login', (c) =>
    c.json({ policy: shown(settings.view('policies').get('login') ?? {}, true) }),
  );
  app.put('/admin/v1/policies/login', async (c) =>
    c.json(put('login', Body.parse(await c.req.json()), 'INSTANCE-5M9vdd')),
  );
  const ownOf = (organization: string | undefined): string => `login ${organization ?? ORGANIZATION}`;
  const add = (key: string, member: string, value: unknown, refusal: readonly [string, string]): Json => {
    const policy = policies.get(key) ?? {};
    const list = z.array(z.unknown()).default([]).parse(policy[member]);
    if (list.some((each) => JSON.stringify(each) === JSON.stringify(value)))
      throw new UserRefused(409, ...refusal);
    policies.set(key, { ...policy, [member]: [...list, value] });
    return { details: settings.details('creation') };
  };
  const there = 'Errors.Instance.MFA.AlreadyExists';
  for (const [base, keyOf] of [
    ['/admin/v1', () => 'login'],
    ['/management/v1', (c: Context) => ownOf(c.req.header('x-zitadel-orgid'))],
  ] as const) {
    app.post(`${base}/policies/login/second_factors`, async (c) =>
      c.json(
        add(keyOf(c), 'secondFactors', Factor.parse(await c.req.json()).type, [there, 'INSTANCE-2B0ps']),
      ),
    );
    app.post(`${base}/policies/login/multi_factors`, async (c) =>
      c.json(add(keyOf(c), 'multiFactors', Factor.parse(await c.req.json()).type, [there, 'INSTANCE-3M9od'])),
    );
    for (const [kind, member] of [
      ['second_factors', 'secondFactors'],
      ['multi_factors', 'multiFactors'],
    ] as const)
      app.delete(`${base}/policies/login/${kind}/:type`, (c) => {
        const policy = policies.get(keyOf(c)) ?? {};
        const list = z.array(z.string()).default([]).parse(policy[member]);
        if (!list.includes(c.req.param('type')))
          throw new UserRefused(404, 'Errors.Instance.MFA.NotExisting', 'INSTANCE-3M9od');
        policies.set(keyOf(c), { ...policy, [member]: list.filter((each) => each !== c.req.param('type')) });
        return c.json({ details: settings.details('change') });
      });
    app.post(`${base}/policies/login/idps`, async (c) => {
      const { idpId } = Idp.parse(await c.req.json());
      const found = idps.find(({ id }) => id === idpId);
      if (found === undefined)
        throw new UserRefused(400, "Identity Provider Configuration doesn't exist", 'INSTANCE-m8fsd');
      const value = { idpId, idpName: found.value['name'] };
      return c.json(add(keyOf(c), 'idps', value, ['Identity provider already exists', 'INSTANCE-2B0ps']));
    });
  }
  app.get('/management/v1/policies/login', (c) => {
    const all = settings.view('policies');
    const own = all.get(ownOf(c.req.header('x-zitadel-orgid')));
    return c.json({ policy: shown(own ?? all.get('login') ?? {}, own === undefined) });
  });
  app.post('/management/v1/policies/login', async (c) => {
    const key = ownOf(c.req.header('x-zitadel-orgid'));
    if (policies.has(key)) throw new UserRefused(409, 'Login Policy already exists', 'Org-Dgfb2');
    const { idps: named, ...body } = z
      .looseObject({ idps: z.array(Idp).default([]) })
      .parse(await c.req.json());
    policies.set(key, proto({ ...body, idps: named.map(({ idpId }) => ({ idpId })) }));
    return c.json({ details: settings.details('creation') });
  });
  app.put('/management/v1/policies/login', async (c) => {
    const key = ownOf(c.req.header('x-zitadel-orgid'));
    if (!policies.has(key)) throw new UserRefused(404, 'Login Policy not found', 'Org-Mvso0');
    return c.json(put(key, Body.parse(await c.req.json()), 'Org-5M9vdd'));
  });
}

function same(one: Json, other: Json): boolean {
  const sorted = (value: Json): string =>
    JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  return sorted(one) === sorted(other);
}

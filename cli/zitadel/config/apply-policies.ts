import { orAbsent } from '../../../shared/zitadel/reader.ts';
import { Nothing, unlessThere, unlessUnchanged } from '../api/client.ts';
import { addIdpToLogin, writeInstanceLoginPolicy, writeOrganizationLoginPolicy } from '../api/policies.ts';
import { known } from '../setup/plan.ts';
import { planOne, type Carrying, type Home } from './carrying.ts';
import { POLICIES } from './kinds.ts';
import type { Login, Settings } from './model.ts';
import { ownPathOf } from './read-policies.ts';
import { textBase } from './texts.ts';

/** `home` undefined: the instance. */
export function planLogin(
  carrying: Carrying,
  home: Home | undefined,
  there: Login | undefined,
  wanted: Login,
): void {
  const { client, ids, plan } = carrying;
  const idOf = (name: string): string => known(ids.get(`idp ${name}`), name);
  const what = `login policy of ${home?.name ?? 'the instance'}`;
  if (home !== undefined && there === undefined) {
    plan.make(what, () =>
      writeOrganizationLoginPolicy(client, home.id(), {
        ...wanted,
        idps: wanted.idps.map(idOf),
        inherited: true,
      }),
    );
    return;
  }
  planOne(carrying, what, there?.settings, wanted.settings, () =>
    home === undefined
      ? writeInstanceLoginPolicy(client, wanted.settings)
      : writeOrganizationLoginPolicy(client, home.id(), { ...wanted, idps: [], inherited: false }),
  );
  planFactors(carrying, home, what, there, wanted);
  for (const name of wanted.idps) {
    if (there?.idps.includes(name) === true) continue;
    plan.make(`${name} in the ${what}`, () => {
      if (home === undefined) return addIdpToLogin(client, idOf(name));
      const path = '/management/v1/policies/login/idps';
      const body = { idpId: idOf(name), ownerType: 'IDP_OWNER_TYPE_SYSTEM' };
      const call = { method: 'POST', path, organization: home.id(), body, right: 'policy.write' } as const;
      return unlessThere(client.call(Nothing, call));
    });
  }
}

/** Exactly those of the files: they are what a policy allows, and a new instance allows some of its own. */
function planFactors(
  { client, plan }: Carrying,
  home: Home | undefined,
  what: string,
  there: Login | undefined,
  wanted: Login,
): void {
  const base = home === undefined ? '/admin/v1' : '/management/v1';
  const right = home === undefined ? 'iam.policy.write' : 'policy.write';
  for (const [list, kind] of [
    ['secondFactors', 'second_factors'],
    ['multiFactors', 'multi_factors'],
  ] as const) {
    const path = `${base}/policies/login/${kind}`;
    const held = there?.[list] ?? [];
    for (const type of wanted[list])
      if (!held.includes(type))
        plan.make(`${type} in the ${what}`, () => {
          const call = { path, organization: home?.id(), body: { type }, right };
          return unlessThere(client.call(Nothing, { ...call, method: 'POST' }));
        });
    for (const type of held)
      if (!wanted[list].includes(type))
        plan.change(`${type} out of the ${what}`, 'the files do not allow it', async () => {
          const call = { path: `${path}/${type}`, organization: home?.id(), right };
          await orAbsent(client.call(Nothing, { ...call, method: 'DELETE' }));
        });
  }
}

/** `home` undefined: of the instance. Each is written whole. */
export function planPolicies(
  carrying: Carrying,
  home: Home | undefined,
  there: Readonly<Record<string, Settings>>,
  wanted: Readonly<Record<string, Settings>>,
): void {
  const { client } = carrying;
  for (const kind of POLICIES) {
    const policy = wanted[kind.name];
    if (policy === undefined) continue;
    const isOwn = there[kind.name] !== undefined;
    planOne(
      carrying,
      `${kind.name} policy of ${home?.name ?? 'the instance'}`,
      there[kind.name],
      policy,
      async () => {
        const organization = home?.id();
        const path =
          organization === undefined ? `/admin/v1${kind.write}` : (ownPathOf(kind, organization) ?? '');
        const method = organization === undefined || isOwn ? 'PUT' : 'POST';
        const call = {
          method,
          organization,
          right: organization === undefined ? 'iam.policy.write' : 'policy.write',
        } as const;
        await unlessUnchanged(client.call(Nothing, { ...call, path, body: policy }));
        if (kind.activated !== true) return;
        const base = organization === undefined ? '/admin/v1' : '/management/v1';
        const activate = {
          ...call,
          method: 'POST',
          path: `${base}/policies/label/_activate`,
          body: {},
        } as const;
        await unlessUnchanged(client.call(Nothing, activate));
      },
    );
  }
}

export function planTexts(
  carrying: Carrying,
  home: Home | undefined,
  there: Readonly<Record<string, Settings>>,
  wanted: Readonly<Record<string, Settings>>,
): void {
  const { client } = carrying;
  for (const [name, text] of Object.entries(wanted)) {
    const what = `text ${name} of ${home?.name ?? 'the instance'}`;
    planOne(carrying, what, there[name], text, () => {
      const organization = home?.id();
      const path = `${textBase(organization)}/${name}`;
      const call = { method: 'PUT', path, organization, body: text, right: 'policy.write' } as const;
      return unlessUnchanged(client.call(Nothing, call));
    });
  }
}

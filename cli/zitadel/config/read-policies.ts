import type { LoginPolicy } from '../../../shared/zitadel/login-policy.ts';
import { orAbsent } from '../../../shared/zitadel/reader.ts';
import type { ZitadelClient } from '../api/client.ts';
import { DOMAIN_POLICY, type PolicyKind } from './kinds.ts';
import { settingsOf, Settings, type Ids, type Login } from './model.ts';

export function loginOf({ settings, secondFactors, multiFactors, idps }: LoginPolicy, ids: Ids): Login {
  const named = [...ids].flatMap(([name, id]) =>
    name.startsWith('idp ') && idps.includes(id) ? [name.slice(4)] : [],
  );
  return {
    settings: settingsOf(settings),
    secondFactors: [...secondFactors].sort(),
    multiFactors: [...multiFactors].sort(),
    idps: named.sort(),
  };
}

interface PolicyRead {
  readonly settings: Settings;
  /** Of an organisation: that it is the instance's. */
  readonly inherited: boolean;
}

/** Undefined where this release has none of the kind. */
export async function policyAt(
  client: ZitadelClient,
  { member = 'policy', without = [] }: PolicyKind,
  path: string,
  organization: string | undefined,
): Promise<PolicyRead | undefined> {
  const call = { method: 'GET', path, organization, right: 'policy.read' } as const;
  const answer = await orAbsent(client.call(Settings, call));
  const policy = Settings.safeParse(answer?.[member]).data;
  if (policy === undefined) return undefined;
  return {
    settings: settingsOf(policy, ...without),
    inherited: policy['isDefault'] === true || answer?.['isDefault'] === true,
  };
}

export function ownPathOf({ name, own }: PolicyKind, organization: string): string | undefined {
  if (name === DOMAIN_POLICY) return `/admin/v1/orgs/${organization}/policies/domain`;
  return own === undefined ? undefined : `/management/v1${own}`;
}

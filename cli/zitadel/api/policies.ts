import * as z from 'zod';
import type { LoginPolicy } from '../../../shared/zitadel/login-policy.ts';
import { listed, orAbsent } from '../../../shared/zitadel/reader.ts';
import { Nothing, unlessThere, unlessUnchanged, type ZitadelClient } from './client.ts';

const RIGHT = 'iam.policy.write';
const ORG_RIGHT = 'policy.write';

/** Replaces all settings; one that changes nothing is refused by Zitadel, and counts as done. */
export async function writeInstanceLoginPolicy(
  client: ZitadelClient,
  settings: LoginPolicy['settings'],
): Promise<void> {
  const path = '/admin/v1/policies/login';
  await unlessUnchanged(client.call(Nothing, { method: 'PUT', path, body: settings, right: RIGHT }));
}

/** `whole`: as the instance's, with the factors and identity providers that an own policy begins with. */
export async function writeOrganizationLoginPolicy(
  client: ZitadelClient,
  organization: string,
  { settings, secondFactors, multiFactors, idps, inherited }: LoginPolicy,
): Promise<void> {
  const path = '/management/v1/policies/login';
  const begin = {
    ...{ secondFactors, multiFactors },
    idps: idps.map((idpId) => ({ idpId, ownerType: 'IDP_OWNER_TYPE_SYSTEM' })),
  };
  const [method, body] = inherited
    ? (['POST', { ...settings, ...begin }] as const)
    : (['PUT', settings] as const);
  await unlessUnchanged(client.call(Nothing, { method, path, organization, body, right: ORG_RIGHT }));
}

export async function addSecondFactor(client: ZitadelClient, type: string): Promise<void> {
  await addFactor(client, 'second_factors', { type });
}

export async function addMultiFactor(client: ZitadelClient, type: string): Promise<void> {
  await addFactor(client, 'multi_factors', { type });
}

/** Shows an identity provider on the sign-in page. */
export async function addIdpToLogin(client: ZitadelClient, idpId: string): Promise<void> {
  await addFactor(client, 'idps', { idpId });
}

async function addFactor(client: ZitadelClient, kind: string, body: object): Promise<void> {
  const path = `/admin/v1/policies/login/${kind}`;
  await unlessThere(client.call(Nothing, { method: 'POST', path, body, right: RIGHT }));
}

const Sms = z.looseObject({ state: z.string().default('') });

/** Whether codes can be sent by SMS. */
export async function sendsSms(client: ZitadelClient): Promise<boolean> {
  const found = await orAbsent(listed(client, Sms, { path: '/admin/v1/sms/_search', right: 'iam.read' }));
  return found?.some(({ state }) => state.endsWith('_ACTIVE')) === true;
}

import * as z from 'zod';
import type { ZitadelReader } from './reader.ts';

const Login = z.looseObject({
  /** The first of its enumeration is left out of answers. */
  passwordlessType: z.string().default('PASSWORDLESS_TYPE_NOT_ALLOWED'),
  isDefault: z.boolean().default(false),
  secondFactors: z.array(z.string()).default([]),
  multiFactors: z.array(z.string()).default([]),
  idps: z.array(z.looseObject({ idpId: z.string() })).default([]),
});

export interface LoginPolicy {
  /** What a PUT replaces, whole: a value that is left out becomes false, or a lifetime of 0. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly secondFactors: readonly string[];
  readonly multiFactors: readonly string[];
  /** Ids of the identity providers on its sign-in page. */
  readonly idps: readonly string[];
  /** Of an organisation: that it has none of its own. */
  readonly inherited: boolean;
}

function loginPolicy({
  secondFactors,
  multiFactors,
  idps,
  isDefault,
  ...rest
}: z.infer<typeof Login>): LoginPolicy {
  const settings = Object.fromEntries(Object.entries(rest).filter(([name]) => name !== 'details'));
  return {
    ...{ settings, secondFactors, multiFactors },
    idps: idps.map(({ idpId }) => idpId),
    inherited: isDefault,
  };
}

/** Of the instance. */
export async function instanceLoginPolicy(reader: ZitadelReader): Promise<LoginPolicy> {
  const call = { method: 'GET', path: '/admin/v1/policies/login', right: 'iam.policy.read' } as const;
  return loginPolicy((await reader.call(z.object({ policy: Login }), call)).policy);
}

/** What counts in an organisation: its own, else the instance's. */
export async function organizationLoginPolicy(
  reader: ZitadelReader,
  organization: string,
): Promise<LoginPolicy> {
  const shape = z.object({ policy: Login, isDefault: z.boolean().default(false) });
  const path = '/management/v1/policies/login';
  const call = { method: 'GET', path, organization, right: 'policy.read' } as const;
  const { policy, isDefault } = await reader.call(shape, call);
  return loginPolicy({ ...policy, isDefault: isDefault || policy.isDefault });
}

/** Whether every sign-in, or every one by password, has to have a second factor. */
export function forcesMfa({ settings }: Pick<LoginPolicy, 'settings'>): boolean {
  return settings['forceMfa'] === true || settings['forceMfaLocalOnly'] === true;
}

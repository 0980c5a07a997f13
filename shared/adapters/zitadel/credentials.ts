import * as z from 'zod';
import type { Directory } from '../../ports/directory.ts';
import { ask, asFailure, READ_MS, WRITE_MS, type Asked, type ZitadelParts } from './client.ts';
import { refusalOf } from './faults.ts';
import { pathOf, userOf } from './user.ts';

const Code = z.object({
  details: z.looseObject({ resourceOwner: z.string() }),
  inviteCode: z.string().min(1),
});
const Methods = z.object({ authMethodTypes: z.array(z.string()).default([]) });
const Features = z.object({
  loginV2: z.looseObject({ required: z.boolean().default(false), baseUri: z.string().optional() }).optional(),
});

const HAS_CREDENTIAL = 'COMMAND-EF34g';
const NO_USER = 'COMMAND-Wgvn4';

export function zitadelCredentials(
  parts: ZitadelParts,
): Pick<Directory, 'invite' | 'credentials' | 'carryPassword'> {
  const { caller } = parts;
  return {
    async invite(id) {
      const path = `${pathOf(id)}/invite_code`;
      const asked = await ask(caller, {
        method: 'POST',
        path,
        body: { returnCode: {} },
        timeoutMs: WRITE_MS,
      });
      if (asked.outcome === 'fault' && asked.id === HAS_CREDENTIAL) return { outcome: 'initialised' };
      if (asked.outcome === 'fault' && (asked.id === NO_USER || asked.status === 404))
        return { outcome: 'absent' };
      if (asked.outcome !== 'ok') return asFailure(asked);
      const code = Code.safeParse(asked.body).data;
      if (code === undefined) return { outcome: 'failed', reason: 'no invite code in the answer' };
      const url = await verifyUrl(parts, id, code.details.resourceOwner, code.inviteCode);
      return { outcome: 'link', url, expiresAt: null };
    },
    async credentials(id) {
      const path = `${pathOf(id)}/authentication_methods`;
      const asked = await ask(caller, { method: 'GET', path, timeoutMs: READ_MS });
      if (asked.outcome === 'fault' && asked.status === 404) return { outcome: 'absent' };
      if (asked.outcome !== 'ok') return asFailure(asked);
      return { outcome: 'known', kinds: Methods.safeParse(asked.body).data?.authMethodTypes ?? [] };
    },
    async carryPassword(id, password) {
      const asked = await setPassword(parts, id, password);
      if (asked.outcome === 'ok') return { outcome: 'carried' };
      if (asked.outcome !== 'fault') return asked;
      const user = await userOf(parts, id);
      if (user.outcome === 'absent') return { outcome: 'absent' };
      const refusal = refusalOf(asked);
      return refusal === undefined ? asFailure(asked) : { ...refusal, field: 'password' };
    },
  };
}

function setPassword(
  { caller }: ZitadelParts,
  id: string,
  password: { readonly plain: string } | { readonly hash: string },
): Promise<Asked> {
  if ('plain' in password) {
    const secrets = [password.plain];
    const body = { newPassword: { password: password.plain, changeRequired: false } };
    const path = `${pathOf(id)}/password`;
    return ask(caller, { method: 'POST', path, body, secrets, timeoutMs: WRITE_MS });
  }
  const secrets = [password.hash];
  const hashedPassword = { hash: password.hash, changeRequired: false };
  const body = { human: { password: { hashedPassword } } };
  return ask(caller, { method: 'PATCH', path: pathOf(id), body, secrets, timeoutMs: WRITE_MS });
}

/** The page of the instance's own sign-in that takes the code: that of login V2 where it is required, and of V1 else. */
async function verifyUrl(
  { caller, config }: ZitadelParts,
  userId: string,
  organization: string,
  code: string,
): Promise<string> {
  const base = config.issuer.replace(/\/+$/, '');
  const asked = await ask(caller, { method: 'GET', path: '/v2/features/instance', timeoutMs: READ_MS });
  const loginV2 = asked.outcome === 'ok' ? Features.safeParse(asked.body).data?.loginV2 : undefined;
  // Without the right to read features: what a new instance has.
  if (asked.outcome === 'ok' && loginV2?.required !== true)
    return `${base}/ui/login/user/invite?${new URLSearchParams({ userID: userId, orgID: organization, code }).toString()}`;
  const page = (loginV2?.baseUri ?? `${base}/ui/v2/login`).replace(/\/+$/, '');
  return `${page}/verify?${new URLSearchParams({ userId, organization, code, invite: 'true' }).toString()}`;
}

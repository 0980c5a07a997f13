import { Refusal } from '../../../shared/errors.ts';
import type { SignIn } from '../../../shared/ports/sign-in.ts';
import type { AuthDeps } from '../deps.ts';

const OAUTH = '/api/v1/auth/oauth/';
export const AUTHORIZE = `${OAUTH}authorize`;
export const CALLBACK = `${OAUTH}callback/`;
export const BACKCHANNEL_LOGOUT = `${OAUTH}backchannel-logout/`;

/** A provider by its name in a path or a parameter. Throws Refusal `unknown_provider`. */
export function providerAt(name: string, { signIns }: Pick<AuthDeps, 'signIns'>): SignIn {
  const found = signIns.find(({ provider }) => provider === name);
  if (found === undefined)
    throw new Refusal('unknown_provider', 'no client of ours at a provider of this name');
  return found;
}

/** RFC 9700 §4.4.2: one per issuer, so that an answer of one is never taken for another's. */
export function redirectUriOf({ provider }: SignIn, { sessions }: Pick<AuthDeps, 'sessions'>): string {
  return sessions.publicUrl + CALLBACK + provider;
}

/** `reason` is for the log and quotes nothing of the request. */
export function invalidCallback(reason: string): Refusal {
  return new Refusal('invalid_callback', reason);
}

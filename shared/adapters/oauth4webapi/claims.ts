import { decodeJwt, type JWTPayload } from 'jose';
import * as z from 'zod';
import type { OAuthClient } from '../../configuration/oauth-clients.ts';
import { isPrintable } from '../../identity/subjects.ts';
import { groupsOfKanidm, groupsOfZitadel } from '../../identity/tenant-groups.ts';
import { JwtRefused } from '../../keys/verify-jwt.ts';
import type { ProviderAccount } from '../../ports/sign-in.ts';

const Shown = z.looseObject({
  // As the gateway takes subjects: `*` means all users in OpenFGA.
  sub: z.string().refine((sub) => isPrintable(sub) && sub !== '*'),
  email: z.string().max(255).nullish().catch(null),
  email_verified: z.boolean().nullish().catch(null),
  name: z.string().max(255).nullish().catch(null),
  preferred_username: z.string().max(255).nullish().catch(null),
});

/** Throws JwtRefused for a subject that no user can have. */
export function accountOf(claims: unknown, config: OAuthClient): ProviderAccount {
  const parsed = Shown.safeParse(claims);
  if (!parsed.success) throw new JwtRefused('claim sub not accepted');
  const { sub, email, email_verified: verified, name, preferred_username: username } = parsed.data;
  return {
    issuer: config.issuer,
    subject: sub,
    email: plain(email),
    emailVerified: verified ?? false,
    name: plain(name) ?? plain(username),
    groups: groupsIn(parsed.data, config),
    complete: plain(email) !== null && hasGroupClaims(parsed.data, config),
  };
}

/** Null for what a column of text does not take, or shows as nothing. */
function plain(text: string | null | undefined): string | null {
  const trimmed = text?.trim() ?? '';
  return trimmed === '' || trimmed.includes('\0') ? null : trimmed;
}

function groupsIn(claims: unknown, { provider, issuer, projectId }: OAuthClient): readonly string[] {
  return provider === 'kanidm' ? groupsOfKanidm(claims) : groupsOfZitadel({ issuer, projectId }, claims);
}

/** Zitadel puts them into the ID token only where the application is set so. */
function hasGroupClaims(
  claims: Readonly<Record<string, unknown>>,
  { provider, projectId }: OAuthClient,
): boolean {
  if (provider === 'kanidm') return Array.isArray(claims['groups']);
  const owner = claims['urn:zitadel:iam:user:resourceowner:id'] !== undefined;
  return (
    owner && (projectId === null || claims[`urn:zitadel:iam:org:project:${projectId}:roles`] !== undefined)
  );
}

const Sid = z.string().refine(isPrintable);

/** OpenID Connect Back-Channel Logout 1.0 §2.1; Kanidm names the session in its access token alone. */
export function sidOf(claims: JWTPayload, accessToken: string): string | null {
  const own = Sid.safeParse(claims['sid']).data;
  if (own !== undefined) return own;
  try {
    return Sid.safeParse(decodeJwt(accessToken)['session_id']).data ?? null;
  } catch {
    return null;
  }
}

import { decodeJwt } from 'jose';
import { startUrl as start } from '../../shared/people/start-url.ts';
import type { Person } from '../../shared/people/users.ts';
import type { TokenPair } from '../../shared/sessions/cookies.ts';
import type { AuthDeps } from './deps.ts';

/** The user as routes answer it. */
export function userOf({ userId, tenantId, slug, email, fullName, role, authMethod }: Person) {
  return {
    id: userId,
    tenant_id: tenantId,
    tenant: slug,
    email,
    full_name: fullName,
    role,
    auth_method: authMethod,
  };
}

export function tokensOf({ access, refresh }: TokenPair) {
  // Of the token itself: it is short where the provider could not confirm the session.
  const { exp = 0, iat = 0 } = decodeJwt(access);
  return { access_token: access, refresh_token: refresh, token_type: 'Bearer', expires_in: exp - iat };
}

/** Where sign-in by the provider begins for a person; null where there is none. */
export function startUrl(
  { slug }: Pick<Person, 'slug'>,
  { sessions, config }: Pick<AuthDeps, 'sessions' | 'config'>,
): string | null {
  const { provider } = config.migration;
  return start({ tenant: slug }, { publicUrl: sessions.publicUrl, provider, clients: config.clients });
}

/** Where the person stands on the way to the provider; null where there is no provider to move to. */
export function migrationOf(
  person: Person & { readonly deadline: Date | null },
  deps: Pick<AuthDeps, 'sessions' | 'config'>,
) {
  if (deps.config.migration.provider === null) return null;
  return {
    state: person.migration,
    deadline: person.deadline?.toISOString() ?? null,
    start_url: startUrl(person, deps),
  };
}

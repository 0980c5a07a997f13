import type { OidcDirectory } from '../oidc/directory.ts';
import { CheckFailed } from './credentials.ts';
import type { Zitadel } from './index.ts';
import { UserRefused } from './users.ts';

/** The stand-in's people for its OpenID provider; only who is active signs in, or has tokens that count. */
export function directoryOf({
  users,
  credentials,
  grants,
}: Pick<Zitadel, 'users' | 'credentials' | 'grants'>): OidcDirectory {
  return {
    find(id) {
      const user = users.has(id) ? users.get(id) : undefined;
      if (user?.state !== 'active') return undefined;
      const { userName, email, emailVerified, organization, profile } = user;
      const roles: Record<string, Record<string, Record<string, string>>> = {};
      for (const { projectId, organizationId, roleKeys } of grants.of(id))
        for (const key of roleKeys)
          ((roles[projectId] ??= {})[key] ??= {})[organizationId] = `${organizationId}.localhost`;
      return { id, userName, displayName: profile.displayName, email, emailVerified, organization, roles };
    },
    async signIn(name, password) {
      const user = users.named(name) ?? onlyWithMail(users, name);
      if (user === undefined) return undefined;
      try {
        await credentials.check(user, password);
        return user.id;
      } catch (error) {
        if (error instanceof CheckFailed || error instanceof UserRefused) return undefined;
        throw error;
      }
    },
  };
}

/** By a verified address, where exactly one person has it. */
function onlyWithMail(users: Zitadel['users'], address: string) {
  const found = [...users.ids]
    .map((id) => users.get(id))
    .filter(
      ({ email, emailVerified, state }) =>
        state !== 'removed' && emailVerified && email?.toLowerCase() === address.toLowerCase(),
    );
  return found.length === 1 ? found[0] : undefined;
}

import type { Configuration } from 'oidc-provider';

/** A person of the directory behind the provider, as tokens show them. */
export interface DirectoryPerson {
  readonly id: string;
  readonly userName: string;
  readonly displayName: string;
  readonly email: string | undefined;
  readonly emailVerified: boolean;
  /** Zitadel's id of the organisation that they belong to. */
  readonly organization: string;
  /** Organisations that granted a role, by role, by project. */
  readonly roles: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string>>>>>>;
}

/** People who sign in by name and password. */
export interface OidcDirectory {
  /** Undefined: no such person, or one who may not sign in now. */
  find(id: string): DirectoryPerson | undefined;
  /** The id of the person whose name and password these are. */
  signIn(name: string, password: string): Promise<string | undefined>;
}

/** An application of the web, whose people the directory has. */
export interface WebClient {
  readonly id: string;
  readonly secret: string;
  readonly redirectUris: readonly string[];
  /** OpenID Connect Back-Channel Logout 1.0. */
  readonly backchannelLogoutUri?: string;
  /** Of Zitadel, in which its roles are. */
  readonly projectId?: string;
}

const OWNER = 'urn:zitadel:iam:user:resourceowner';
const ROLES = 'urn:zitadel:iam:org:projects:roles';

/** Scopes that Zitadel has beside those of OpenID Connect, and the claims that come with them. */
export function zitadelScopes(projectId: string | undefined): Readonly<Record<string, readonly string[]>> {
  if (projectId === undefined) return { [OWNER]: [`${OWNER}:id`] };
  return {
    [OWNER]: [`${OWNER}:id`],
    [ROLES]: [`urn:zitadel:iam:org:project:${projectId}:roles`, 'urn:zitadel:iam:org:project:roles'],
    [`urn:zitadel:iam:org:project:id:${projectId}:aud`]: [],
  };
}

type Account = NonNullable<Awaited<ReturnType<NonNullable<Configuration['findAccount']>>>>;

export function accountOf(person: DirectoryPerson, projectId: string | undefined): Account {
  const roles = person.roles[projectId ?? ''] ?? {};
  return {
    accountId: person.id,
    claims: () => ({
      sub: person.id,
      name: person.displayName,
      preferred_username: person.userName,
      ...(person.email !== undefined && { email: person.email, email_verified: person.emailVerified }),
      [`${OWNER}:id`]: person.organization,
      ...(Object.keys(roles).length > 0 && {
        'urn:zitadel:iam:org:project:roles': roles,
        [`urn:zitadel:iam:org:project:${projectId ?? ''}:roles`]: roles,
      }),
    }),
  };
}

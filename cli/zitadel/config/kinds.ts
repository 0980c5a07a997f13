/** A policy that the API reads and writes whole. */
export interface PolicyKind {
  readonly name: string;
  /** Of the instance, below /admin/v1. */
  readonly read: string;
  readonly write: string;
  /** Of an organisation, below /management/v1; absent: the instance has it alone. */
  readonly own?: string;
  /** What cannot be carried. */
  readonly without?: readonly string[];
  /** Member of the answer. */
  readonly member?: string;
  /** Counts only once it is activated. */
  readonly activated?: boolean;
}

/** Files of the server's own, which the API shows as addresses. */
export const ASSETS = ['logoUrl', 'iconUrl', 'logoUrlDark', 'iconUrlDark', 'fontUrl'];

export const POLICIES: readonly PolicyKind[] = [
  {
    ...{ name: 'branding', read: '/policies/label', write: '/policies/label', own: '/policies/label' },
    ...{ without: ASSETS, activated: true },
  },
  {
    ...{ name: 'password-complexity', read: '/policies/password/complexity' },
    ...{ write: '/policies/password/complexity', own: '/policies/password/complexity' },
  },
  {
    ...{ name: 'password-age', read: '/policies/password/age' },
    ...{ write: '/policies/password/age', own: '/policies/password/age' },
  },
  {
    name: 'lockout',
    read: '/policies/lockout',
    write: '/policies/password/lockout',
    own: '/policies/lockout',
  },
  { name: 'privacy', read: '/policies/privacy', write: '/policies/privacy', own: '/policies/privacy' },
  {
    ...{ name: 'notification', read: '/policies/notification', write: '/policies/notification' },
    own: '/policies/notification',
  },
  { name: 'domain', read: '/policies/domain', write: '/policies/domain' },
  { name: 'security', read: '/policies/security', write: '/policies/security' },
  { name: 'token-lifetimes', read: '/settings/oidc', write: '/settings/oidc', member: 'settings' },
];

/** An organisation's own domain policy has a path of its own. */
export const DOMAIN_POLICY = 'domain';

/** Texts of mails by the template that events name, and those of the sign-in pages. */
export const TEXTS: Readonly<Record<string, string>> = {
  InitCode: 'message/init',
  PasswordReset: 'message/passwordreset',
  VerifyEmail: 'message/verifyemail',
  VerifyPhone: 'message/verifyphone',
  VerifySMSOTP: 'message/verifysmsotp',
  VerifyEmailOTP: 'message/verifyemailotp',
  DomainClaimed: 'message/domainclaimed',
  PasswordlessRegistration: 'message/passwordless_registration',
  PasswordChange: 'message/password_change',
  InviteUser: 'message/invite_user',
  Login: 'login',
};

interface IdpKind {
  readonly kind: string;
  readonly secret?: string;
  /** How it is changed; PUT where it is not named. */
  readonly changedBy?: 'POST';
}

/** An identity provider's path by the member of its configuration, and the name of its secret. */
export const IDPS: Readonly<Record<string, IdpKind>> = {
  google: { kind: 'google', secret: 'clientSecret' },
  azureAd: { kind: 'azure', secret: 'clientSecret' },
  oidc: { kind: 'generic_oidc', secret: 'clientSecret' },
  oauth: { kind: 'oauth', secret: 'clientSecret' },
  github: { kind: 'github', secret: 'clientSecret' },
  githubEs: { kind: 'github_es', secret: 'clientSecret' },
  gitlab: { kind: 'gitlab', secret: 'clientSecret', changedBy: 'POST' },
  gitlabSelfHosted: { kind: 'gitlab_self_hosted', secret: 'clientSecret', changedBy: 'POST' },
  apple: { kind: 'apple', secret: 'privateKey' },
  ldap: { kind: 'ldap', secret: 'bindPassword' },
  jwt: { kind: 'generic_jwt' },
  saml: { kind: 'saml' },
};

/** Zitadel takes a second mail server of the same values silently; one of the same host and sender is the same. */
export function mailKey({ host, senderAddress }: Readonly<Record<string, unknown>>): string {
  return `mail server ${String(host)} of ${String(senderAddress)}`;
}

/** Of Actions v1: external authentication, complement token, internal authentication, complement SAML response. */
export const FLOWS = ['1', '2', '3', '4'];

/** The project that Zitadel keeps of itself. */
export const OWN_PROJECT = 'ZITADEL';

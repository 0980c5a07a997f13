import * as z from 'zod';

/** Long because it is the one definition of the file: of its types, of its JSON Schema and of its faults. */

const Reference = z
  .strictObject({ env: z.string().regex(/^[A-Z_][A-Z0-9_]*$/, 'a name of capitals, digits and _') })
  .describe('the value of an environment variable');

export type Reference = z.infer<typeof Reference>;

/** A secret never stands in the file. */
const secret = Reference.describe('a secret: { "env": "NAME" }');
const text = z.string().min(1);
/** What differs from one installation to the next may come from a variable, too. */
const value = z.union([text, Reference]);
const name = text.max(200);

const ROLE = /^[^\s/]+$/;

const Pat = z
  .strictObject({ days: z.int().min(1).max(3_650).default(365).describe('days until it expires') })
  .describe('its personal access token');

const Role = z.strictObject({
  key: text.regex(ROLE, 'without blanks and slashes').describe('as it stands in tokens'),
  name: name.optional().describe('default: the key'),
  group: z.string().max(200).default(''),
});

const Project = z.strictObject({
  name,
  roleAssertion: z.boolean().default(true).describe('roles of people stand in their tokens'),
  roleCheck: z.boolean().default(false).describe('only people with a role may sign in'),
  projectCheck: z.boolean().default(false).describe('only people of organisations with a grant may sign in'),
  roles: z.array(Role).default([]).describe('made or renamed; others stay'),
  audience: z
    .boolean()
    .default(true)
    .describe('tokens that were asked for the project are accepted: its id goes to ZITADEL_AUDIENCE'),
});

const Api = z.strictObject({ name }).describe('introspects tokens: ZITADEL_CLIENT_ID and _SECRET');

const Web = z
  .strictObject({
    name,
    redirectUris: z
      .array(z.url())
      .min(1)
      .optional()
      .describe('default: /api/v1/auth/oauth/callback/zitadel below publicUrl'),
    postLogoutRedirectUris: z.array(z.url()).default([]),
    backChannelLogoutUri: z
      .union([z.url(), z.literal('')])
      .optional()
      .describe('default: /api/v1/auth/oauth/backchannel-logout/zitadel below publicUrl'),
    accessToken: z.enum(['jwt', 'bearer']).default('jwt'),
  })
  .describe('signs people in: ZITADEL_OAUTH_CLIENT_ID and _SECRET');

const ServiceAccount = z.strictObject({
  username: name,
  name: name.optional().describe('default: the username'),
  description: z.string().max(500).default(''),
  roles: z
    .array(
      z.enum([
        'IAM_OWNER',
        'IAM_OWNER_VIEWER',
        'IAM_ORG_MANAGER',
        'IAM_USER_MANAGER',
        'IAM_END_USER_IMPERSONATOR',
        'IAM_ADMIN_IMPERSONATOR',
      ]),
    )
    .min(1)
    .default(['IAM_OWNER_VIEWER'])
    .describe('of the instance, exactly these'),
  pat: Pat.prefault({}),
});

const LoginClient = z.strictObject({
  username: name.default('login-client'),
  pat: Pat.prefault({}),
});

/** Zitadel takes none without a port. */
export const HOST = /^[^\s/]+:\d{1,5}$/;

const Smtp = z.strictObject({
  host: z.union([text.regex(HOST, 'with the port: smtp.example.org:587'), Reference]),
  tls: z.boolean().default(true),
  user: value.optional(),
  password: secret.optional(),
  senderAddress: value,
  senderName: name.default(''),
  replyTo: z.string().default(''),
  description: z.string().max(200).default('sallyport'),
});

/** Protobuf's, as Zitadel writes it. */
const duration = z.string().regex(/^\d+s$/, 'seconds: 864000s');

const LoginPolicy = z
  .strictObject({
    allowUsernamePassword: z.boolean(),
    allowRegister: z.boolean(),
    allowExternalIdp: z.boolean(),
    passwordlessType: z.enum(['PASSWORDLESS_TYPE_ALLOWED', 'PASSWORDLESS_TYPE_NOT_ALLOWED']),
    hidePasswordReset: z.boolean(),
    ignoreUnknownUsernames: z.boolean(),
    defaultRedirectUri: z.string(),
    passwordCheckLifetime: duration,
    externalLoginCheckLifetime: duration,
    mfaInitSkipLifetime: duration,
    secondFactorCheckLifetime: duration,
    multiFactorCheckLifetime: duration,
    allowDomainDiscovery: z.boolean(),
    disableLoginWithEmail: z.boolean(),
    disableLoginWithPhone: z.boolean(),
  })
  .partial()
  .describe('of the instance; what is left out stays as it is');

const Mfa = z.strictObject({
  force: z
    .enum(['administrators', 'everyone', 'local', 'nobody'])
    .default('administrators')
    .describe(
      '`administrators`: everybody in their organisations, since Zitadel forces by organisation; `local`: whoever signs in by password',
    ),
  secondFactors: z
    .array(z.enum(['otp', 'u2f', 'otp_email', 'otp_sms', 'recovery_codes']))
    .default(['otp', 'u2f'])
    .describe('allowed beside those that are'),
  passkeys: z.boolean().default(true).describe('a passkey counts as all factors'),
});

const options = {
  name,
  clientId: value,
  clientSecret: secret,
  isLinkingAllowed: z.boolean().default(true),
  isCreationAllowed: z.boolean().default(true),
  isAutoCreation: z.boolean().default(false),
  isAutoUpdate: z.boolean().default(false),
  autoLinking: z
    .enum(['off', 'username', 'email'])
    .default('off')
    .describe('`email` trusts that provider to have verified addresses'),
};

const Google = z.strictObject({
  type: z.literal('google'),
  ...options,
  scopes: z.array(text).default(['openid', 'profile', 'email']),
});

const Azure = z.strictObject({
  type: z.literal('azure'),
  ...options,
  scopes: z.array(text).default(['openid', 'profile', 'email', 'User.Read']),
  tenant: value.describe('`common`, `organisations`, `consumers`, or the id of one tenant'),
  emailVerified: z.boolean().default(false).describe('its addresses count as verified'),
});

/** What Sallyport acts on: docs/zitadel-setup.md. Self-registration raises another event than creation by an administrator. */
export const EVENTS = [
  'user.human.added',
  'user.human.selfregistered',
  'user.machine.added',
  'user.username.changed',
  'user.domain.claimed',
  'user.human.email.changed',
  'user.deactivated',
  'user.reactivated',
  'user.locked',
  'user.unlocked',
  'user.removed',
  'org.removed',
] as const;

const Target = z.strictObject({
  name: name.default('sallyport'),
  endpoint: value.optional().describe('default: /webhooks/zitadel below publicUrl'),
  timeout: z
    .string()
    .regex(/^(?:[1-9]\d?|1\d\d|2[0-6]\d|270)s$/, '1s to 270s')
    .default('10s'),
  events: z
    .array(text)
    .min(1)
    .default([...EVENTS]),
});

export const setupFile = z.strictObject({
  $schema: z.string().optional(),
  publicUrl: value.optional().describe('the gateway’s public origin'),
  organization: z.strictObject({ name }).optional().describe('default: that of the service account in use'),
  project: Project.optional(),
  api: Api.optional(),
  web: Web.optional(),
  serviceAccount: ServiceAccount.optional(),
  loginClient: LoginClient.optional(),
  smtp: Smtp.optional(),
  loginPolicy: LoginPolicy.optional(),
  mfa: Mfa.optional(),
  identityProviders: z.array(z.discriminatedUnion('type', [Google, Azure])).default([]),
  targets: z.array(Target).default([]),
});

export type SetupFile = z.output<typeof setupFile>;

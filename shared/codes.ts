/**
 * Every problem code, with its HTTP status, its title and its owner: who has to act.
 * docs/failure-modes.md has one section per code; a test compares the two. Long because it is one registry.
 */

export type Owner = 'caller' | 'operator' | 'provider';

interface CodeEntry {
  readonly status: number;
  readonly title: string;
  /** Sent where a refusal has no `detail` of its own. */
  readonly detail: string;
  readonly owner: Owner;
}

export const CODES = {
  invalid_path: {
    status: 400,
    title: 'The path cannot be judged safely',
    detail: 'Send the path in its plain form, without dot segments, encoded slashes or control characters.',
    owner: 'caller',
  },
  invalid_request: {
    status: 400,
    title: 'The request is malformed',
    detail: 'Look at the request line, the header fields and the framing of the body.',
    owner: 'caller',
  },
  missing_token: {
    status: 401,
    title: 'A bearer token is needed',
    detail: 'Send an access token as Authorization: Bearer.',
    owner: 'caller',
  },
  invalid_token: {
    status: 401,
    title: 'The bearer token is not accepted',
    detail: 'Get a new access token for this API and send the request again.',
    owner: 'caller',
  },
  invalid_signature: {
    status: 401,
    title: 'The delivery is not signed as it must be',
    detail: 'Sign with a key that is configured here, within five minutes.',
    owner: 'operator',
  },
  no_rule: {
    status: 403,
    title: 'No access rule matches',
    detail: 'No access rule covers this method and path, so nobody is let through.',
    owner: 'operator',
  },
  forbidden: {
    status: 403,
    title: 'Not allowed',
    detail: 'The caller is known, but lacks the permission that this request needs.',
    owner: 'caller',
  },
  no_tenant: {
    status: 403,
    title: 'No tenant',
    detail: 'The caller is in no tenant, and this request needs one.',
    owner: 'operator',
  },
  wrong_tenant: {
    status: 403,
    title: 'Another tenant',
    detail: 'The path names a tenant that is not the caller’s.',
    owner: 'caller',
  },
  cross_site: {
    status: 403,
    title: 'The request comes from another site',
    detail: 'A session cookie counts for this method only from a page of this origin or of an allowed one.',
    owner: 'caller',
  },
  invalid_credentials: {
    status: 401,
    title: 'The credentials are not accepted',
    detail: 'The address and the password do not fit an account that can sign in with them.',
    owner: 'caller',
  },
  invalid_refresh: {
    status: 401,
    title: 'The refresh token is not accepted',
    detail: 'Sign in again.',
    owner: 'caller',
  },
  tenant_required: {
    status: 409,
    title: 'A tenant has to be named',
    detail: 'The credentials fit several tenants. Send the request again with one of them as tenant.',
    owner: 'caller',
  },
  password_deadline_passed: {
    status: 403,
    title: 'The password no longer signs in',
    detail: 'Sign in by the identity provider.',
    owner: 'caller',
  },
  password_retired: {
    status: 410,
    title: 'Passwords are retired',
    detail: 'Sign in by the identity provider.',
    owner: 'caller',
  },
  registration_closed: {
    status: 403,
    title: 'Registration is closed',
    detail: 'Sign in by the identity provider, or ask for an account.',
    owner: 'caller',
  },
  invalid_callback: {
    status: 400,
    title: 'The sign-in cannot be completed',
    detail:
      'It began in another browser, took longer than ten minutes, was completed already, or was refused by the provider. Begin again.',
    owner: 'caller',
  },
  unknown_provider: {
    status: 400,
    title: 'No such provider',
    detail: 'Nobody signs in by a provider of this name here.',
    owner: 'caller',
  },
  account_inactive: {
    status: 403,
    title: 'The account is not active',
    detail: 'The user or the tenant is suspended, inactive or deleted.',
    owner: 'operator',
  },
  account_not_linked: {
    status: 409,
    title: 'The account belongs to nobody here yet',
    detail:
      'The account at the provider is not linked to the user of this address, or to another user. Sign in with the password, then link the account from that session.',
    owner: 'caller',
  },
  already_done: {
    status: 409,
    title: 'It counts once',
    detail: 'This was done before, and counts once.',
    owner: 'caller',
  },
  invalid_reset_token: {
    status: 400,
    title: 'The link does not count any more',
    detail: 'It is unknown, spent or expired. Ask for a new one.',
    owner: 'caller',
  },
  weak_password: {
    status: 422,
    title: 'The password cannot be taken',
    detail: 'Choose another one.',
    owner: 'caller',
  },
  sign_in_busy: {
    status: 503,
    title: 'Too many passwords are being checked',
    detail: 'Try again later.',
    owner: 'operator',
  },
  method_not_allowed: {
    status: 405,
    title: 'The method is not allowed',
    detail: 'Allow names the methods that this path takes.',
    owner: 'caller',
  },
  not_found: { status: 404, title: 'Not found', detail: 'Nothing is served at this path.', owner: 'caller' },
  request_timeout: {
    status: 408,
    title: 'The body did not arrive in time',
    detail: 'Nothing came of the body for too long. Send the request again.',
    owner: 'caller',
  },
  body_too_large: {
    status: 413,
    title: 'The body is too large',
    detail: 'Send a smaller body.',
    owner: 'caller',
  },
  headers_too_large: {
    status: 431,
    title: 'The header fields are too large',
    detail: 'Send fewer or shorter header fields.',
    owner: 'caller',
  },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    detail: 'Wait as long as Retry-After says.',
    owner: 'caller',
  },
  authorization_misconfigured: {
    status: 500,
    title: 'The permission cannot be asked for',
    detail:
      'The authorization service refuses the question that the access rule asks. The operator has to act.',
    owner: 'operator',
  },
  internal_error: {
    status: 500,
    title: 'The gateway failed',
    detail: 'The failure was logged under this request_id.',
    owner: 'operator',
  },
  not_configured: {
    status: 503,
    title: 'This function is not configured',
    detail: 'The operator has not set the variables that it needs.',
    owner: 'operator',
  },
  upstream_unreachable: {
    status: 502,
    title: 'The upstream cannot be reached',
    detail: 'The API behind the gateway gave no answer. Try again later.',
    owner: 'provider',
  },
  identity_provider_unavailable: {
    status: 503,
    title: 'The identity provider is away',
    detail: 'The token cannot be checked at present. Try again later.',
    owner: 'provider',
  },
  authorization_unavailable: {
    status: 503,
    title: 'The authorization service is away',
    detail: 'The permission cannot be checked at present. Try again later.',
    owner: 'provider',
  },
  database_unavailable: {
    status: 503,
    title: 'The database is away',
    detail: 'Try again later.',
    owner: 'provider',
  },
  limiter_unavailable: {
    status: 503,
    title: 'The counter store is away',
    detail: 'Requests cannot be counted at present. Try again later.',
    owner: 'provider',
  },
  database_misconfigured: {
    status: 500,
    title: 'The database is not set up for this',
    detail: 'The operator has to run the migrations, or to grant what is lacking.',
    owner: 'operator',
  },
  upstream_timeout: {
    status: 504,
    title: 'The upstream did not answer in time',
    detail: 'Whether the API behind the gateway acted on the request is unknown.',
    owner: 'provider',
  },
} as const satisfies Record<string, CodeEntry>;

export type Code = keyof typeof CODES;

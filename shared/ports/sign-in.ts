import type { ProviderName } from './directory.ts';

/** What a browser is sent to the provider with (RFC 6749 §4.1.1, RFC 7636, OpenID Connect Core §3.1.2.1). */
export interface AuthorizationRequest {
  readonly redirectUri: string;
  readonly state: string;
  readonly nonce: string;
  /** The PKCE verifier; its challenge is sent. */
  readonly verifier: string;
  readonly loginHint: string | null;
}

/** What the browser came back with, and what it left with. */
export interface AuthorizationAnswer extends Omit<AuthorizationRequest, 'loginHint'> {
  /** Query parameters, each of them once. */
  readonly parameters: URLSearchParams;
}

/** An account at the provider, as its verified ID token or userinfo shows it. */
export interface ProviderAccount {
  readonly issuer: string;
  readonly subject: string;
  /** Claims that prove nothing about whose account of ours it is. */
  readonly email: string | null;
  readonly emailVerified: boolean;
  readonly name: string | null;
  /** Ids as in kanidm_tenant_groups.kanidm_group_uuid. */
  readonly groups: readonly string[];
  /** False: the ID token has less than userinfo. */
  readonly complete: boolean;
}

export interface ProviderTokens {
  readonly access: string;
  /** Null: the provider gave none. */
  readonly refresh: string | null;
}

export interface SignedIn {
  readonly outcome: 'signed-in';
  readonly account: ProviderAccount;
  /** The session at the provider; null where it names none. */
  readonly sid: string | null;
  readonly tokens: ProviderTokens;
}

/** The provider, or the verification of its answer, says no; a repetition changes nothing. The reason is for the log, without secrets. */
export interface Declined {
  readonly outcome: 'declined';
  readonly reason: string;
  /** The person did not go on: no fault of anybody's. */
  readonly cancelled?: boolean;
}

/**
 * A provider to one OAuth2 client of ours. Every method rejects with `ProviderUnavailable` where it does not answer in time,
 * answers with a fault of its own, or does not accept the client.
 */
export interface SignIn {
  readonly provider: ProviderName;
  /** `iss` of its tokens. */
  readonly issuer: string;
  readonly clientId: string;
  /** Where the browser goes. */
  authorizationUrl(request: AuthorizationRequest): Promise<string>;
  /** Redeems a code and verifies the ID token. One call to the provider. */
  redeem(answer: AuthorizationAnswer): Promise<SignedIn | Declined>;
  /** Redeems a refresh token, which is then spent. */
  refresh(
    token: string,
  ): Promise<{ readonly outcome: 'refreshed'; readonly tokens: ProviderTokens } | Declined>;
  /** All that userinfo has of a subject. */
  account(
    accessToken: string,
    subject: string,
  ): Promise<{ readonly outcome: 'account'; readonly account: ProviderAccount } | Declined>;
}

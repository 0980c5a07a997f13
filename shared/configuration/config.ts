import type { LoggingConfig } from '../edge/request-log.ts';
import type { RatePolicy } from '../ports/counters.ts';

export type Runtime = 'node' | 'workers';

/** The checked configuration: only shared/configuration/environment.ts makes one, from raw variables. */
export interface Config {
  readonly environment: 'development' | 'production';
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly logging: LoggingConfig;
  readonly listen: { readonly host: string; readonly port: number };
  readonly targets: Targets;
  readonly rules: {
    readonly current: RulesSource;
    readonly previous: RulesSource | null;
    /** What they are held against; null: nothing. */
    readonly model: ModelFile | null;
  };
  readonly openfga: OpenFgaConfig;
  readonly issuers: readonly IssuerConfig[];
  /** Asked in this order. */
  readonly introspection: readonly IntrospectionConfig[];
  /** Zitadel's own API, asked as a service account; null without ZITADEL_SERVICE_TOKEN. */
  readonly zitadelApi: { readonly url: string; readonly token: string } | null;
  readonly counters: CountersConfig;
  readonly rateLimit: RatePolicy;
  readonly rateLimitFailure: 'local' | 'open' | 'closed';
  /** Milliseconds an allow is remembered; 0 = never. */
  readonly decisionTtlMs: number;
  readonly database: DatabaseConfig | null;
  /** Listed origins; empty = no CORS headers at all. */
  readonly allowedOrigins: readonly string[];
  /** CIDRs whose X-Forwarded-* is believed. */
  readonly trustedProxies: readonly string[];
  readonly maxBodyBytes: number;
  readonly upstreamTimeoutMs: number;
  readonly assertion: AssertionConfig;
  readonly webhooks: {
    readonly signingKeys: readonly string[];
    readonly sharedSecret: string | null;
    /** What new users get. */
    readonly defaultGrants: RulesSource;
  };
  /** `start`: a Node replica carries the change from the previous rules over to OpenFGA as it starts. */
  readonly featureSync: 'off' | 'start';
  readonly metricsToken: string | null;
}

/** Where a rule's `target` leads; `upstream` is always there. */
export type Targets = Readonly<{ upstream: string }> & Readonly<Record<string, string | undefined>>;

export type RulesSource =
  { readonly kind: 'file'; readonly path: string } | { readonly kind: 'inline'; readonly json: string };

/** `optional`: no fault when it is not there. */
export interface ModelFile {
  readonly path: string;
  readonly optional: boolean;
}

export interface OpenFgaConfig {
  readonly url: string;
  readonly storeId: string;
  readonly modelId: string | null;
  readonly apiToken: string | null;
}

/** `zitadel`, `kanidm`, `session`, or the NAME of ISSUER_<NAME>_URL in lower case. */
export type IssuerName = string;

export interface IssuerConfig {
  readonly name: IssuerName;
  /** Exactly the `iss` of its tokens. */
  readonly url: string;
  /** At least one; a token must carry one of them in `aud`. */
  readonly audiences: readonly [string, ...string[]];
  /** True: `sub` is the bundle's own user id; false: the user is `<name>|<sub>`. */
  readonly sharedSubjects: boolean;
  /** Further issuers by name: a shared subject must not pass for one of their users. */
  readonly others?: readonly IssuerName[];
  /** What the header of its access tokens has to say of them; `any`: nothing, or that it is a JWT. */
  readonly typ: 'at+jwt' | 'any';
}

/** RFC 7662, for opaque access tokens and Zitadel's personal access tokens. */
export interface IntrospectionConfig {
  readonly issuer: IssuerConfig;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Resource owners (organisation ids) whose tokens are accepted even without an accepted audience. */
  readonly organizations: readonly string[];
}

export type DatabaseConfig =
  /** `endpoint`: where Workers speak SQL over HTTP, when it is not the address Neon's driver derives from the URL. */
  | { readonly kind: 'url'; readonly url: string; readonly endpoint: string | null }
  /** Workers only. */
  | { readonly kind: 'hyperdrive'; readonly url: string };

export type CountersConfig =
  | { readonly kind: 'memory' }
  | { readonly kind: 'redis'; readonly url: string }
  | { readonly kind: 'upstash'; readonly url: string; readonly token: string };

export type AssertionConfig =
  | { readonly kind: 'keys'; readonly jwks: string }
  | { readonly kind: 'ephemeral' }
  | { readonly kind: 'off' };

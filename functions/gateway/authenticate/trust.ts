import type { IssuersConfig } from '../../../shared/configuration/issuers.ts';
import type { IssuerName } from '../../../shared/identity/subjects.ts';
import { createDiscovery, type ProviderDeps } from '../../../shared/keys/discovery.ts';
import type { KeySource } from '../../../shared/keys/key-source.ts';
import { createKeySource } from '../../../shared/keys/remote-keys.ts';
import { createIntrospectors } from './introspect.ts';
import type { Verify } from './principal.ts';
import { createJwtVerifier, type TrustedIssuer } from './verify.ts';

export interface TrustDeps extends ProviderDeps {
  /** Key sources of issuers that need no HTTP. */
  readonly keySources?: Partial<Record<IssuerName, KeySource>>;
}

export interface Trust {
  readonly issuers: readonly TrustedIssuer[];
  readonly verifySigned: Verify;
  readonly verifyOpaque: Verify | undefined;
}

/** The verifiers of the configured issuers. */
export function trust(config: IssuersConfig, deps: TrustDeps): Trust {
  const discoveries = new Map(config.issuers.map(({ url }) => [url, createDiscovery(url, deps)]));
  const discoveryOf = (url: string) => discoveries.get(url) ?? createDiscovery(url, deps);
  const issuers = config.issuers.map((issuer) => ({
    config: issuer,
    keys: deps.keySources?.[issuer.name] ?? createKeySource(discoveryOf(issuer.url), deps),
  }));
  const { introspection } = config;
  return {
    issuers,
    verifySigned: createJwtVerifier(issuers, deps.clock),
    verifyOpaque: createIntrospectors(
      introspection.map((one) => [one, discoveryOf(one.issuer.url)] as const),
      deps,
    ),
  };
}

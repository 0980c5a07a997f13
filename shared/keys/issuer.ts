import { createDiscovery, type Discovery, type ProviderDeps } from './discovery.ts';
import type { KeySource } from './key-source.ts';
import { createKeySource } from './remote-keys.ts';

/** Discovery and keys of one issuer. */
export interface IssuerMetadata {
  readonly discovery: Discovery;
  readonly keys: KeySource;
}

/** Of an issuer by its URL: held once, so that what one function fetched the others need not. */
export type IssuerOf = (url: string) => IssuerMetadata;

export function openIssuers(deps: ProviderDeps): IssuerOf {
  const known = new Map<string, IssuerMetadata>();
  return (url) => {
    const held = known.get(url);
    if (held !== undefined) return held;
    const discovery = createDiscovery(url, deps);
    const issuer = { discovery, keys: createKeySource(discovery, deps) };
    known.set(url, issuer);
    return issuer;
  };
}

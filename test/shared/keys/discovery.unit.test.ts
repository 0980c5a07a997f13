import { beforeEach, describe, expect, it } from 'vitest';
import { createDiscovery, type Discovery } from '../../../shared/keys/discovery.ts';
import type { Fetch } from '../../../shared/ports/runtime.ts';
import { createIssuer, type FakeIssuer } from '../../support/issuer.ts';
import { providerDeps, type TestDeps } from '../../support/provider-deps.ts';

let issuer: FakeIssuer;
let deps: TestDeps;
let discovery: Discovery;

beforeEach(async () => {
  issuer = await createIssuer({ url: 'https://issuer.test/realm' });
  deps = providerDeps(issuer.fetch);
  discovery = createDiscovery(issuer.url, deps);
});

describe('discovery', () => {
  it('names the endpoints of the issuer', async () => {
    expect(await discovery.metadata()).toMatchObject({
      jwksUri: 'https://issuer.test/realm/oauth/v2/keys',
      introspectionEndpoint: 'https://issuer.test/realm/oauth/v2/introspect',
      userinfoEndpoint: 'https://issuer.test/realm/userinfo',
    });
  });

  it('is kept for a day', async () => {
    await discovery.metadata();
    deps.clock.advance(24 * 3600 - 1);
    await discovery.metadata();
    expect(issuer.requests).toHaveLength(1);
    deps.clock.advance(1);
    await discovery.metadata();
    await deps.settled();
    expect(issuer.requests).toHaveLength(2);
  });

  it.each([
    ['another issuer', { issuer: 'https://evil.test' }],
    ['an issuer that differs by a slash', { issuer: 'https://issuer.test/realm/' }],
    ['keys without TLS', { jwks_uri: 'http://issuer.test/keys' }],
    ['introspection without TLS', { introspection_endpoint: 'http://issuer.test/introspect' }],
    ['keys in a file', { jwks_uri: 'file:///etc/passwd' }],
    ['no keys', { jwks_uri: undefined }],
  ])('is refused when it names %s', async (_, metadata) => {
    Object.assign(issuer.metadata, metadata);
    await expect(discovery.metadata()).rejects.toMatchObject({ name: 'ProviderUnavailable' });
  });

  it('gives up when no answer comes in time', async () => {
    issuer.faults.set('*', 'hangs');
    await expect(discovery.metadata()).rejects.toThrow('no answer in time');
  });

  it.each<[string, () => Response, string]>([
    ['a redirect', () => Response.redirect('https://evil.test/', 302), 'status 302'],
    ['an endless body', () => new Response('x'.repeat(300_000)), 'over 262144 bytes'],
    ['an empty body', () => new Response(null), 'not JSON'],
  ])('is refused as %s', async (_, respond, reason) => {
    const seen: (string | undefined)[] = [];
    const fetch: Fetch = (__, init) => {
      seen.push(init?.redirect);
      return Promise.resolve(respond());
    };
    const other = createDiscovery(issuer.url, providerDeps(fetch));
    await expect(other.metadata()).rejects.toThrow(reason);
    expect(seen).toEqual(['manual']);
  });
});

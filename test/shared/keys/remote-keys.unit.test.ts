import { beforeEach, describe, expect, it } from 'vitest';
import { ProviderUnavailable } from '../../../shared/errors.ts';
import { createDiscovery } from '../../../shared/keys/discovery.ts';
import type { KeySource } from '../../../shared/keys/key-source.ts';
import { createKeySource, KEY_REFRESH, UNKNOWN_KID_COOLDOWN_MS } from '../../../shared/keys/remote-keys.ts';
import { eachAlone, shareInFlight } from '../../../shared/share-in-flight.ts';
import { createIssuer, type FakeIssuer } from '../../support/issuer.ts';
import { providerDeps, type TestDeps } from '../../support/provider-deps.ts';

const JWKS = '/oauth/v2/keys';

let issuer: FakeIssuer;
let deps: TestDeps;
let keys: KeySource;

function start(collapse = shareInFlight): void {
  deps = providerDeps(issuer.fetch, collapse);
  keys = createKeySource(createDiscovery(issuer.url, deps), deps);
}

const keyFetches = (): number => issuer.requests.filter((path) => path === JWKS).length;

beforeEach(async () => {
  issuer = await createIssuer();
  start();
});

describe('keys at hand', () => {
  it('are found at once, without a promise, until they are 10 minutes old', async () => {
    await keys.ping();
    deps.clock.advance(KEY_REFRESH.hardMs / 1000 - 1);
    expect(keys.find('key-1', 'ES256')).toMatchObject({ kid: 'key-1', alg: 'ES256' });
  });

  it('are imported once, however often they are fetched', async () => {
    const first = await keys.find('key-1', 'ES256');
    deps.clock.advance(600);
    expect(await keys.find('key-1', 'ES256')).toBe(first);
    expect(keyFetches()).toBe(2);
  });

  it.each([shareInFlight, eachAlone])(
    'are renewed in the background from 5 minutes on, once',
    async (collapse) => {
      start(collapse);
      await keys.ping();
      deps.clock.advance(300);
      for (let i = 0; i < 100; i++) expect(keys.holds('x')).toBe(false);
      await deps.settled();
      expect(keyFetches()).toBe(2);
      expect(keys.state()).toEqual({ state: 'fresh', ageSeconds: 0 });
    },
  );

  it('are renewed before use from 10 minutes on', async () => {
    await keys.ping();
    issuer.removeKey('key-1');
    deps.clock.advance(600);
    expect(await keys.find('key-1', 'ES256')).toBeUndefined();
  });

  it('are a different key for a different algorithm', async () => {
    expect(await keys.find('key-1', 'RS256')).toBeUndefined();
    expect(await keys.find('key-1', 'ES384')).toBeUndefined();
  });
});

describe('discovery and keys', () => {
  it('have one bound together: keys are not waited for when discovery took all the time', async () => {
    let spent: boolean | undefined;
    deps = providerDeps(async (url, init) => {
      if (url.endsWith(JWKS)) spent = init?.signal?.aborted;
      // Longer than the bound, by the bound's own timer.
      else
        await new Promise((done) => {
          AbortSignal.timeout(deps.timeoutMs! * 2).addEventListener('abort', done);
        });
      return issuer.fetch(url, init);
    });
    keys = createKeySource(createDiscovery(issuer.url, deps), deps);
    await keys.ping().catch(() => undefined);
    expect(spent).toBe(true);
  });
});

describe('cold requests', () => {
  it('share one fetch where promises may be shared', async () => {
    await Promise.all(Array.from({ length: 50 }, async () => keys.find('key-1', 'ES256')));
    expect(issuer.requests).toEqual(['/.well-known/openid-configuration', JWKS]);
  });

  it('never wait for one another on Workers', async () => {
    start(eachAlone);
    const found = await Promise.all([1, 2].map(async () => keys.find('key-1', 'ES256')));
    expect(found.every((key) => key?.kid === 'key-1')).toBe(true);
    expect(keyFetches()).toBe(2);
  });
});

describe.each([
  ['Node', shareInFlight],
  ['Workers', eachAlone],
])('1,000 unknown kids at once on %s', (_, collapse) => {
  const storm = () =>
    Promise.allSettled(
      Array.from({ length: 1_000 }, (__, i) => Promise.resolve(keys.find(`kid-${i}`, 'ES256'))),
    );

  beforeEach(async () => {
    start(collapse);
    await keys.ping();
  });

  it('cause no fetch right after one, and one per cool-down after', async () => {
    const early = await storm();
    expect(early.every((one) => one.status === 'fulfilled' && one.value === undefined)).toBe(true);
    expect(keyFetches()).toBe(1);
    deps.clock.advance(UNKNOWN_KID_COOLDOWN_MS / 1000);
    await storm();
    await storm();
    expect(keyFetches()).toBe(2);
    expect(keys.find('key-1', 'ES256')).toBeDefined();
  });

  it('cause one fetch per 5 s while the provider is away, and good keys go on', async () => {
    issuer.faults.set(JWKS, 'refused');
    deps.clock.advance(30);
    for (const outcome of [...(await storm()), ...(await storm())])
      expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'ProviderUnavailable' } });
    expect(keyFetches()).toBe(2);
    expect(keys.find('key-1', 'ES256')).toBeDefined();
    deps.clock.advance(5);
    await storm();
    expect(keyFetches()).toBe(3);
  });
});

describe('a key added at the provider', () => {
  it('is found by its first token, 30 s after the last fetch', async () => {
    await keys.ping();
    await issuer.addKey('key-2');
    deps.clock.advance(29);
    expect(await keys.find('key-2', 'ES256')).toBeUndefined();
    deps.clock.advance(1);
    expect(await keys.find('key-2', 'ES256')).toMatchObject({ kid: 'key-2' });
  });
});

describe('a provider that is away', () => {
  it.each(['refused', 'hangs', 'status', 'garbage'] as const)(
    '(%s) leaves no key: unavailable',
    async (fault) => {
      issuer.faults.set(JWKS, fault);
      await expect(keys.find('key-1', 'ES256')).rejects.toBeInstanceOf(ProviderUnavailable);
      expect(keys.state()).toMatchObject({ state: 'none', ageSeconds: null });
    },
  );

  it('is not asked again for 5 s, then answers', async () => {
    issuer.faults.set(JWKS, 'refused');
    await expect(keys.ping()).rejects.toThrow('unreachable');
    issuer.faults.clear();
    deps.clock.advance(4.9);
    await expect(keys.ping()).rejects.toThrow('unreachable');
    deps.clock.advance(0.1);
    await keys.ping();
    expect(keys.state()).toEqual({ state: 'fresh', ageSeconds: 0 });
    expect(keyFetches()).toBe(2);
  });

  it('lets known keys go on for 24 hours, and says so', async () => {
    await keys.ping();
    issuer.faults.set(JWKS, 'status');
    deps.clock.advance(23 * 3600);
    expect(await keys.find('key-1', 'ES256')).toBeDefined();
    const state = keys.state();
    expect(state).toMatchObject({ state: 'stale', ageSeconds: 23 * 3600 });
    expect(state.lastError).toContain('status 500');
    deps.clock.advance(3600);
    await expect(keys.find('key-1', 'ES256')).rejects.toBeInstanceOf(ProviderUnavailable);
  });

  it('lets no key go on longer, even when it failed a moment before', async () => {
    await keys.ping();
    issuer.faults.set(JWKS, 'refused');
    deps.clock.advance(KEY_REFRESH.staleMs / 1000 - 10);
    expect(await keys.find('key-1', 'ES256')).toBeDefined();
    deps.clock.advance(10);
    await expect(keys.find('key-1', 'ES256')).rejects.toBeInstanceOf(ProviderUnavailable);
    expect(keys.state().state).toBe('none');
  });

  it('makes nobody wait once it is known to be away', async () => {
    await keys.ping();
    issuer.faults.set(JWKS, 'hangs');
    deps.clock.advance(600);
    await keys.find('key-1', 'ES256');
    deps.clock.advance(5);
    expect(keys.find('key-1', 'ES256')).toMatchObject({ kid: 'key-1' });
    await deps.settled();
    expect(keyFetches()).toBe(3);
  });

  it('is found at its new address when the key set moved', async () => {
    await keys.ping();
    issuer.faults.set(JWKS, 'status');
    issuer.metadata['jwks_uri'] = `${issuer.url}/oauth/v2/keys?v=2`;
    deps.clock.advance(600);
    await keys.find('key-1', 'ES256');
    issuer.faults.delete(JWKS);
    deps.clock.advance(30);
    await keys.find('key-1', 'ES256');
    expect(issuer.requests.filter((path) => path.endsWith('configuration'))).toHaveLength(2);
    expect(keys.state()).toEqual({ state: 'fresh', ageSeconds: 0 });
  });
});

import { beforeEach, describe, expect, it } from 'vitest';
import { ProviderUnavailable } from '../../../shared/errors.ts';
import { createDiscovery } from '../../../shared/keys/discovery.ts';
import type { KeySource } from '../../../shared/keys/key-source.ts';
import { createKeySource, KEY_REFRESH } from '../../../shared/keys/remote-keys.ts';
import { eachAlone, shareInFlight } from '../../../shared/caches/in-flight.ts';
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

const find = (kid: string | undefined, alg = 'ES256', address = '192.0.2.1') =>
  keys.find({ kid, alg, address });
const keyFetches = (): number => issuer.requests.filter((path) => path === JWKS).length;

beforeEach(async () => {
  issuer = await createIssuer();
  start();
});

describe('keys at hand', () => {
  it('are found at once, without a promise, until they are 10 minutes old', async () => {
    await keys.ping();
    deps.clock.advance(KEY_REFRESH.hardMs / 1000 - 1);
    expect(find('key-1', 'ES256')).toMatchObject([{ kid: 'key-1', alg: 'ES256' }]);
  });

  it('are imported once, however often they are fetched', async () => {
    const [first] = await find('key-1', 'ES256');
    deps.clock.advance(600);
    expect((await find('key-1', 'ES256'))[0]).toBe(first);
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
      expect(keys.state()).toEqual({ state: 'fresh', ageSeconds: 0, refused: [] });
    },
  );

  it('are renewed before use from 10 minutes on', async () => {
    await keys.ping();
    issuer.removeKey('key-1');
    deps.clock.advance(600);
    expect(await find('key-1', 'ES256')).toEqual([]);
  });

  it('are a different key for a different algorithm', async () => {
    expect(await find('key-1', 'RS256')).toEqual([]);
    expect(await find('key-1', 'ES384')).toEqual([]);
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
    await Promise.all(Array.from({ length: 50 }, async () => find('key-1', 'ES256')));
    expect(issuer.requests).toEqual(['/.well-known/openid-configuration', JWKS]);
  });

  it('never wait for one another on Workers', async () => {
    start(eachAlone);
    const found = await Promise.all([1, 2].map(async () => find('key-1', 'ES256')));
    expect(found.every(([key]) => key?.kid === 'key-1')).toBe(true);
    expect(keyFetches()).toBe(2);
  });
});

describe('a weak key', () => {
  it('is named once in the log, with its reason, and in the state', async () => {
    issuer.extraKeys.push({ kty: 'RSA', kid: 'weak', alg: 'RS256', n: 'q'.repeat(171), e: 'AQAB' });
    await keys.ping();
    deps.clock.advance(KEY_REFRESH.hardMs / 1000);
    await keys.ping();
    expect(keyFetches()).toBe(2);
    expect(deps.logged.filter((line) => line.includes('"kid":"weak"'))).toHaveLength(1);
    expect(keys.refusal('weak')).toMatch(/at least 2048/);
    expect(keys.state().refused).toHaveLength(1);
  });
});

describe('a provider that is away', () => {
  it.each(['refused', 'hangs', 'status', 'garbage'] as const)(
    '(%s) leaves no key: unavailable',
    async (fault) => {
      issuer.faults.set(JWKS, fault);
      await expect(find('key-1', 'ES256')).rejects.toBeInstanceOf(ProviderUnavailable);
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
    expect(keys.state()).toEqual({ state: 'fresh', ageSeconds: 0, refused: [] });
    expect(keyFetches()).toBe(2);
  });

  it('lets known keys go on for 24 hours, and says so', async () => {
    await keys.ping();
    issuer.faults.set(JWKS, 'status');
    deps.clock.advance(23 * 3600);
    expect(await find('key-1', 'ES256')).toBeDefined();
    const state = keys.state();
    expect(state).toMatchObject({ state: 'stale', ageSeconds: 23 * 3600 });
    expect(state.lastError).toContain('status 500');
    deps.clock.advance(3600);
    await expect(find('key-1', 'ES256')).rejects.toBeInstanceOf(ProviderUnavailable);
  });

  it('lets no key go on longer, even when it failed a moment before', async () => {
    await keys.ping();
    issuer.faults.set(JWKS, 'refused');
    deps.clock.advance(KEY_REFRESH.staleMs / 1000 - 10);
    expect(await find('key-1', 'ES256')).toBeDefined();
    deps.clock.advance(10);
    await expect(find('key-1', 'ES256')).rejects.toBeInstanceOf(ProviderUnavailable);
    expect(keys.state().state).toBe('none');
  });

  it('makes nobody wait once it is known to be away', async () => {
    await keys.ping();
    issuer.faults.set(JWKS, 'hangs');
    deps.clock.advance(600);
    await find('key-1', 'ES256');
    deps.clock.advance(5);
    expect(find('key-1', 'ES256')).toMatchObject([{ kid: 'key-1' }]);
    await deps.settled();
    expect(keyFetches()).toBe(3);
  });

  it('is found at its new address when the key set moved', async () => {
    await keys.ping();
    issuer.faults.set(JWKS, 'status');
    issuer.metadata['jwks_uri'] = `${issuer.url}/oauth/v2/keys?v=2`;
    deps.clock.advance(600);
    await find('key-1', 'ES256');
    issuer.faults.delete(JWKS);
    deps.clock.advance(30);
    await find('key-1', 'ES256');
    expect(issuer.requests.filter((path) => path.endsWith('configuration'))).toHaveLength(2);
    expect(keys.state()).toEqual({ state: 'fresh', ageSeconds: 0, refused: [] });
  });
});

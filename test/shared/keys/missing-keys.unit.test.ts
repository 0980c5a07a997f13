import { beforeEach, describe, expect, it } from 'vitest';
import { createDiscovery } from '../../../shared/keys/discovery.ts';
import type { KeySource } from '../../../shared/keys/key-source.ts';
import { FETCH_BURST, FETCH_EVERY_MS, NAME_PAUSE_MS } from '../../../shared/keys/misses.ts';
import { createKeySource } from '../../../shared/keys/remote-keys.ts';
import { eachAlone, shareInFlight } from '../../../shared/caches/in-flight.ts';
import { createIssuer, type FakeIssuer } from '../../support/issuer.ts';
import { providerDeps, type TestDeps } from '../../support/provider-deps.ts';

const JWKS = '/oauth/v2/keys';

const UNAVAILABLE = { name: 'ProviderUnavailable' };

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

describe.each([
  ['Node', shareInFlight],
  ['Workers', eachAlone],
])('unknown kids on %s', (_, collapse) => {
  const storm = (address: (i: number) => string = () => '203.0.113.9') =>
    Promise.allSettled(
      Array.from({ length: 500 }, (__, i) =>
        Promise.resolve(find(`kid-${Math.random()}`, 'ES256', address(i))),
      ),
    );
  const wave = async (): Promise<void> => {
    for (const one of await storm())
      if (one.status === 'fulfilled') expect(one.value).toEqual([]);
      else expect(one.reason).toMatchObject(UNAVAILABLE);
  };

  beforeEach(async () => {
    start(collapse);
    await keys.ping();
  });

  it('500 at once cause two fetches, because one was under way when most of them came, and good keys go on', async () => {
    await wave();
    expect(keyFetches()).toBe(3);
    expect(find('key-1')).toHaveLength(1);
  });

  it('go on causing one fetch a second, and whoever goes on naming them waits no more', async () => {
    for (let i = 0; i < FETCH_BURST; i++) await wave();
    const [before, fetches] = [deps.clock.now(), keyFetches()];
    for (let i = 0; i < 10; i++) await wave();
    expect(deps.clock.now()).toBe(before);
    expect(keyFetches()).toBe(fetches);
    deps.clock.advance(FETCH_EVERY_MS / 1000);
    await wave();
    expect(keyFetches()).toBe(fetches + 1);
  });

  it('of other people make no genuine key unknown, however soon after a fetch it was added', async () => {
    for (let round = 0; round < 5; round++) {
      await wave();
      await issuer.addKey(`new-${round}`);
      const [found] = await Promise.all([find(`new-${round}`), wave()]);
      expect(found).toMatchObject([{ kid: `new-${round}` }]);
    }
  });

  it('of the same address make a genuine one unavailable for a second at most, never "no such key"', async () => {
    for (let i = 0; i < FETCH_BURST; i++) await wave();
    await issuer.addKey('new');
    await expect(find('new', 'ES256', '203.0.113.9')).rejects.toMatchObject(UNAVAILABLE);
    deps.clock.advance(FETCH_EVERY_MS / 1000);
    expect(await find('new', 'ES256', '203.0.113.9')).toHaveLength(1);
  });

  it('of hundreds of addresses wait for the same fetches', async () => {
    await wave();
    const outcomes = await storm((i) => `198.51.100.${i}`);
    expect(outcomes.every((one) => one.status === 'fulfilled' && one.value.length === 0)).toBe(true);
    expect(keyFetches()).toBe(5);
  });

  it('are 503 while the provider is away, never "no such key", and good keys go on', async () => {
    issuer.faults.set(JWKS, 'refused');
    for (const outcome of [...(await storm()), ...(await storm((i) => `198.51.100.${i}`))])
      expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'ProviderUnavailable' } });
    expect(keyFetches()).toBe(2);
    expect(find('key-1')).toHaveLength(1);
    deps.clock.advance(5);
    await storm();
    expect(keyFetches()).toBe(3);
  });

  it('one after another cause a few fetches, and then one a second, and nobody waits', async () => {
    const before = deps.clock.now();
    const ask = async (kid: string) => find(kid);
    for (let i = 0; i < FETCH_BURST; i++) expect(await ask(`kid-${i}`)).toEqual([]);
    for (let i = FETCH_BURST; i < 200; i++) await expect(ask(`kid-${i}`)).rejects.toMatchObject(UNAVAILABLE);
    expect(await ask('kid-0')).toEqual([]);
    expect(deps.clock.now()).toBe(before);
    expect(keyFetches()).toBe(1 + FETCH_BURST);
    for (let i = 0; i < 100; i++) {
      deps.clock.advance(0.1);
      await Promise.allSettled([ask(`late-${i}`)]);
    }
    expect(keyFetches()).toBe(1 + FETCH_BURST + 10);
  });

  it('one and the same is asked for again only after a pause', async () => {
    await find('old');
    deps.clock.advance(NAME_PAUSE_MS / 1000 - 0.001);
    expect(await find('old', 'ES256', '192.0.2.77')).toEqual([]);
    expect(keyFetches()).toBe(2);
    deps.clock.advance(0.001);
    await find('old', 'ES256', '192.0.2.77');
    expect(keyFetches()).toBe(3);
  });
});

describe('a key added at the provider', () => {
  it('is found by its first token, right after a fetch', async () => {
    await keys.ping();
    await issuer.addKey('key-2');
    expect(await find('key-2')).toMatchObject([{ kid: 'key-2' }]);
  });

  it('is found although somebody has just named one that does not exist', async () => {
    await keys.ping();
    await find('nobody');
    await issuer.addKey('key-2');
    expect(await find('key-2')).toMatchObject([{ kid: 'key-2' }]);
  });

  it('under the kid of another one is found once its signature does not fit', async () => {
    const tried = await find('key-1');
    issuer.removeKey('key-1');
    await issuer.addKey('key-1');
    const newer = await keys.findNewer({ kid: 'key-1', alg: 'ES256', address: '192.0.2.1' }, tried);
    expect(newer).toHaveLength(1);
    expect(newer[0]?.id).not.toBe(tried[0]?.id);
  });

  it('under the same kid is looked for once a second, however many signatures do not fit', async () => {
    const tried = await find('key-1');
    const ask = () => keys.findNewer({ kid: 'key-1', alg: 'ES256', address: '192.0.2.1' }, tried);
    for (let i = 0; i < FETCH_BURST; i++) expect(await ask()).toEqual([]);
    const fetches = keyFetches();
    expect(fetches).toBe(1 + FETCH_BURST);
    for (let i = 0; i < 100; i++) await expect(ask()).rejects.toMatchObject(UNAVAILABLE);
    expect(keyFetches()).toBe(fetches);
  });
});

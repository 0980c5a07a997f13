import { generateKeyPair, exportJWK } from 'jose';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Person, Principal, Verified } from '../../../functions/gateway/authenticate/principal.ts';
import { TokenCache, type TokenCacheOptions } from '../../../functions/gateway/authenticate/remembered.ts';
import { KEY_REFRESH } from '../../../shared/keys/remote-keys.ts';
import { manualClock } from '../../support/clock.ts';
import { createGate, type Gate } from './gate.ts';

let gate: Gate;

beforeEach(async () => {
  gate = await createGate();
});

describe('a remembered token', () => {
  it('is answered at once, without a promise and without verifying', async () => {
    const token = await gate.zitadel.sign();
    const first = await gate.admit(token);
    expect(gate.present(`Bearer ${token}`)).toBe(first);
    expect(gate.guarded).toHaveLength(1);
  });

  it('is not hit by a token with the same beginning or another signature', async () => {
    const token = await gate.zitadel.sign();
    await gate.admit(token);
    const last = token.at(-1) === 'A' ? 'Q' : 'A';
    for (const forged of [`${token.slice(0, -1)}${last}`, token.slice(0, -4), `${token}A`, `${token}=`])
      expect((await gate.refuse(forged)).code, forged.slice(-8)).toBe('invalid_token');
  });

  it('is verified again from its expiry on', async () => {
    const token = await gate.zitadel.sign();
    await gate.admit(token);
    gate.clock.advance(299);
    await gate.admit(token);
    expect(gate.guarded).toHaveLength(1);
    gate.clock.advance(1);
    expect(await gate.admit(token)).toBeDefined();
    expect(gate.guarded).toHaveLength(2);
    gate.clock.advance(5);
    expect((await gate.refuse(token)).reason).toBe('expired');
  });

  it('is verified again after its user was forgotten, others are not', async () => {
    const [alice, bob] = [await gate.zitadel.sign(), await gate.zitadel.sign({ sub: 'bob' })];
    await gate.admit(alice);
    await gate.admit(bob);
    gate.forget('user:alice');
    await gate.admit(bob);
    expect(gate.guarded).toHaveLength(2);
    await gate.admit(alice);
    expect(gate.guarded).toHaveLength(3);
  });

  it('makes room for newer ones', async () => {
    const small = await createGate({ maxAccepted: 2 });
    const tokens = await Promise.all(['a', 'b', 'c'].map((sub) => small.zitadel.sign({ sub })));
    for (const token of tokens) await small.admit(token);
    await small.admit(tokens[2]!);
    expect(small.guarded).toHaveLength(3);
    await small.admit(tokens[0]!);
    expect(small.guarded).toHaveLength(4);
  });
});

const NOTHING = new Set<string>();
const admit = (verified: Verified, person: Person) => ({ ...verified, person }) as Principal;

/** Takes each token for one of the user of that name. */
function tokens(options: Partial<TokenCacheOptions> = {}) {
  const verified: string[] = [];
  const underway: (() => void)[] = [];
  let waits = false;
  const verify = async (token: string) => {
    verified.push(token);
    if (waits) await new Promise<void>((done) => underway.push(done));
    return { identity: { user: `user:${token}` } as Verified, untilMs: Infinity };
  };
  const cache = new TokenCache(verify, admit, { clock: manualClock(), ...options });
  return {
    verified,
    wait: () => (waits = true),
    finish: () => underway.shift()?.(),
    forget: (user: string) => {
      cache.forget(user);
    },
    present: (token: string) => cache.verify(token, '', NOTHING),
  };
}

describe('forgetting users, as a bulk import does', () => {
  it('costs nothing that grows with the tokens remembered, and leaves those of others', async () => {
    const cache = tokens();
    const all = Array.from({ length: 10_000 }, (_, n) => `${n}`);
    for (const token of all) await cache.present(token);
    for (let round = 0; round < 50; round++) for (const token of all) cache.forget(`user:x${token}`);
    for (const token of all) expect(cache.present(token)).not.toBeInstanceOf(Promise);
  }, 120_000);

  it('lets a verdict of another under way be remembered', async () => {
    const cache = tokens();
    cache.wait();
    const first = cache.present('alice');
    cache.forget('user:bob');
    cache.finish();
    await first;
    expect(cache.present('alice')).toMatchObject({ user: 'user:alice' });
  });
});

describe('a verdict under way while its user is forgotten', () => {
  it('is given but not remembered', async () => {
    const cache = tokens();
    cache.wait();
    const first = cache.present('alice');
    cache.forget('user:alice');
    cache.finish();
    await first;
    const second = cache.present('alice');
    cache.finish();
    await second;
    expect(cache.verified).toHaveLength(2);
  });
});

describe('what is looked up by its end', () => {
  const end = 'x'.repeat(60);

  it('is compared whole: of two tokens with one end each is its own', async () => {
    const cache = tokens();
    for (const token of [`a${end}`, `b${end}`, `a${end}`])
      expect(await cache.present(token)).toMatchObject({ user: `user:${token}` });
  });

  it('takes no room twice', async () => {
    const cache = tokens({ maxAccepted: 2 });
    await cache.present('other');
    for (let n = 0; n < 10; n++) await cache.present(`${n}${end}`);
    expect(cache.present('other')).not.toBeInstanceOf(Promise);
  });
});

describe('room', () => {
  it('is made by what was not presented again', async () => {
    const cache = tokens({ maxAccepted: 3 });
    for (const token of ['a', 'b', 'c']) await cache.present(token);
    void cache.present('a');
    await cache.present('d');
    expect(cache.present('a')).not.toBeInstanceOf(Promise);
    await cache.present('b');
    expect(cache.verified).toEqual(['a', 'b', 'c', 'd', 'b']);
  });

  it('is bounded by the length of tokens too: 16 MiB', async () => {
    const cache = tokens();
    const long = (n: number) => `${n}`.padStart(8_192, 'x');
    for (let n = 0; n < 2_049; n++) await cache.present(long(n));
    await cache.present(long(2_048));
    expect(cache.verified).toHaveLength(2_049);
    await cache.present(long(0));
    expect(cache.verified).toHaveLength(2_050);
  });
});

describe('what is remembered of a person', () => {
  it('is shared by the tokens of one user, and gone with the last of them', async () => {
    const verify = async (token: string) => ({
      identity: { user: 'user:alice', subject: token } as Verified,
      untilMs: Infinity,
    });
    const cache = new TokenCache(verify, admit, { clock: manualClock(), maxAccepted: 2 });
    const personOf = async (token: string) => (await cache.verify(token, '', NOTHING)).person;
    const person = await personOf('one');
    expect(await personOf('two')).toBe(person);
    expect(await personOf('three')).toBe(person);
    expect(person.tokens).toBe(2);
    cache.forget('user:alice');
    expect(person.forgotten).toBe(true);
    expect(await personOf('three')).not.toBe(person);
  });
});

describe('a key that leaves the issuer takes its tokens along', () => {
  const long = { exp: 9_999_999_999 };

  it('within 10 minutes, while the other keys go on', async () => {
    const old = await gate.zitadel.sign(long);
    await gate.zitadel.addKey('key-2');
    const current = await gate.zitadel.sign(long);
    await gate.admit(old);
    await gate.admit(current);
    gate.zitadel.removeKey('key-1');
    gate.clock.advance(KEY_REFRESH.hardMs / 1000);
    expect((await gate.refuse(old)).code).toBe('invalid_token');
    expect(await gate.admit(current)).toBeDefined();
    expect(gate.guarded).toHaveLength(3);
    expect(KEY_REFRESH.hardMs).toBeLessThanOrEqual(600_000);
  });

  it('after 5 minutes, by a refresh that no request waits for', async () => {
    const token = await gate.zitadel.sign(long);
    await gate.admit(token);
    gate.zitadel.removeKey('key-1');
    gate.clock.advance(300);
    expect(gate.present(`Bearer ${token}`)).toMatchObject({ subject: 'alice' });
    await gate.settled();
    expect((await gate.refuse(token)).code).toBe('invalid_token');
  });

  it('also when another key takes over its kid', async () => {
    const token = await gate.zitadel.sign(long);
    await gate.admit(token);
    const { publicKey } = await generateKeyPair('ES256');
    gate.zitadel.removeKey('key-1');
    gate.zitadel.extraKeys.push({ ...(await exportJWK(publicKey)), kid: 'key-1', alg: 'ES256' });
    gate.clock.advance(600);
    expect((await gate.refuse(token)).reason).toBe('signature does not fit');
  });

  it('not while the provider is away: remembered tokens go on', async () => {
    const token = await gate.zitadel.sign(long);
    await gate.admit(token);
    gate.zitadel.faults.set('*', 'refused');
    gate.clock.advance(3_600);
    expect(await gate.admit(token)).toBeDefined();
    gate.clock.advance(KEY_REFRESH.staleMs / 1000);
    expect((await gate.refuse(token)).code).toBe('identity_provider_unavailable');
  });
});

describe('claims that rules demand', () => {
  it('are kept with the token, and no others', async () => {
    const wanted = new Set(['scope', 'absent']);
    gate = await createGate({ wanted });
    const token = await gate.zitadel.sign({ scope: 'a b', email: 'alice@example.org' });
    await gate.admit(token);
    expect(await gate.present(`Bearer ${token}`)).toMatchObject({ claims: { scope: 'a b' } });
    expect(gate.guarded).toHaveLength(1);
    expect(JSON.stringify(await gate.admit(token))).not.toContain('example.org');
  });

  it('are looked for anew, once, when other rules demand others', async () => {
    const token = await gate.zitadel.sign({ scope: 'a b' });
    await gate.admit(token);
    const wanted = new Set(['scope']);
    for (let i = 0; i < 2; i++)
      expect(await gate.present(`Bearer ${token}`, wanted)).toMatchObject({ claims: { scope: 'a b' } });
    expect(gate.guarded).toHaveLength(2);
  });
});

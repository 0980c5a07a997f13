import { generateKeyPair, exportJWK } from 'jose';
import { beforeEach, describe, expect, it } from 'vitest';
import { TokenCache } from '../../../functions/gateway/authenticate/remembered.ts';
import { KEY_REFRESH } from '../../../shared/keys/remote-keys.ts';
import { sha256 } from '../../support/digest.ts';
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

  it('is verified again after its caller was forgotten, others are not', async () => {
    const [alice, bob] = [await gate.zitadel.sign(), await gate.zitadel.sign({ sub: 'bob' })];
    await gate.admit(alice);
    await gate.admit(bob);
    gate.forget('zitadel|alice');
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
const asking = (token: string) => ({ token, address: '', wanted: NOTHING });

describe('forgetting callers, as a bulk import does', () => {
  it('costs nothing that grows with the tokens remembered, and leaves those of others', async () => {
    const verify = async (token: string) => ({ identity: { caller: `zitadel|${token}` }, untilMs: Infinity });
    const cache = new TokenCache(verify, { clock: manualClock(), digest: sha256 });
    const tokens = Array.from({ length: 10_000 }, (_, n) => `${n}`);
    for (const token of tokens) await cache.verify(asking(token));
    for (let round = 0; round < 50; round++) for (const token of tokens) cache.forget(`zitadel|x${token}`);
    for (const token of tokens) expect(cache.verify(asking(token))).not.toBeInstanceOf(Promise);
  }, 120_000);

  it('lets a verdict of another under way be remembered', async () => {
    const finish: (() => void)[] = [];
    const cache = new TokenCache(
      async () => {
        await new Promise<void>((done) => finish.push(done));
        return { identity: { caller: 'zitadel|alice' }, untilMs: Infinity };
      },
      { clock: manualClock(), digest: sha256 },
    );
    const first = cache.verify(asking('token'));
    cache.forget('zitadel|bob');
    finish[0]!();
    await first;
    expect(cache.verify(asking('token'))).toEqual({ caller: 'zitadel|alice' });
  });
});

describe('a verdict under way while its caller is forgotten', () => {
  it('is given but not remembered', async () => {
    let finish: () => void = () => undefined;
    let verified = 0;
    const verify = async () => {
      verified += 1;
      await new Promise<void>((done) => (finish = done));
      return { identity: { caller: 'zitadel|alice' }, untilMs: Infinity };
    };
    const cache = new TokenCache(verify, { clock: manualClock(), digest: sha256 });
    const asked = { token: 'token', address: '', wanted: new Set<string>() };
    const first = cache.verify(asked);
    cache.forget('zitadel|alice');
    finish();
    await first;
    const second = cache.verify(asked);
    finish();
    await second;
    expect(verified).toBe(2);
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

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Hashing, isCut, usableHash } from '../../functions/auth/password/hashes.ts';
import { nativeBcrypt } from '../../shared/adapters/bcrypt/native.ts';
import { portableBcrypt } from '../../shared/adapters/bcrypt/portable.ts';
import type { Passwords } from '../../shared/ports/passwords.ts';

const BODY = 'N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy';

describe('a stored hash', () => {
  it.each(['$2a$10$', '$2b$04$', '$2y$16$'])('of %s is compared, as $2b$', (prefix) => {
    expect(usableHash(prefix + BODY)).toEqual({
      cost: Number(prefix.slice(4, 6)),
      text: `$2b$${prefix.slice(4)}${BODY}`,
    });
  });

  it.each([
    null,
    '',
    '$2x$10$' + BODY,
    '$2$10$' + BODY,
    '$2b$03$' + BODY,
    '$2b$17$' + BODY,
    '$2b$10$' + BODY.slice(1),
    `$2b$10$${BODY} `,
    'plain',
    '$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA',
  ])('%j is not', (stored) => {
    expect(usableHash(stored)).toBeUndefined();
  });
});

describe.each<[string, () => Passwords]>([
  ['on threads', nativeBcrypt],
  ['in JavaScript', portableBcrypt],
])('bcrypt %s', (_name, open) => {
  const passwords = open();
  const verify = (password: string, hash: string) => passwords.verify(password, usableHash(hash)?.text ?? '');

  it('reads what it writes, as $2b$ of the cost', async () => {
    const hash = await passwords.hash('pässwörd', 4);
    expect(hash).toMatch(/^\$2b\$04\$.{53}$/);
    expect(await verify('pässwörd', hash)).toBe(true);
    expect(await verify('passwort', hash)).toBe(false);
  });

  it('compares 72 bytes', async () => {
    const hash = await passwords.hash('a'.repeat(72), 4);
    expect(await verify(`${'a'.repeat(72)}X`, hash)).toBe(true);
    expect(await verify('a'.repeat(71), hash)).toBe(false);
    const wide = await passwords.hash('é'.repeat(36), 4);
    expect(await verify(`${'é'.repeat(36)}X`, wide)).toBe(true);
    expect([isCut('é'.repeat(36)), isCut(`${'é'.repeat(36)}X`)]).toEqual([false, true]);
  });

  it('reads hashes of other implementations under any of the prefixes', async () => {
    // Of the password `correct horse battery`, by bcryptjs.
    const made = await portableBcrypt().hash('correct horse battery', 4);
    for (const prefix of ['$2a$', '$2b$', '$2y$'])
      expect(await verify('correct horse battery', prefix + made.slice(4))).toBe(true);
  });
});

describe('the queue of hashes', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** bcrypt that ends when it is let. */
  function held(atOnce: number) {
    const running: (() => void)[] = [];
    const work = () =>
      new Promise<boolean>((resolve) =>
        running.push(() => {
          resolve(true);
        }),
      );
    const hashing = new Hashing({ atOnce, verify: work, hash: async () => String(await work()) });
    return { running, verify: () => hashing.verify('x', { cost: 4, text: '' }) };
  }
  const turn = () => vi.advanceTimersByTimeAsync(0);

  it('computes no more at once than it may, in the order of arrival', async () => {
    const { running, verify } = held(2);
    const done: number[] = [];
    const all = [0, 1, 2, 3].map((each) => verify().then(() => done.push(each)));
    await turn();
    expect(running).toHaveLength(2);
    for (let at = 0; at < 4; at += 1) {
      running[at]?.();
      await turn();
    }
    await Promise.all(all);
    expect(done).toEqual([0, 1, 2, 3]);
  });

  it('lets nobody in between the end of one and the beginning of the next', async () => {
    let [most, now] = [0, 0];
    const hashing = new Hashing({
      atOnce: 1,
      verify: async () => {
        now += 1;
        most = Math.max(most, now);
        await Promise.resolve();
        now -= 1;
        return true;
      },
      hash: async () => '',
    });
    const verify = () => hashing.verify('x', { cost: 4, text: '' });
    await Promise.all(Array.from({ length: 20 }, async () => verify().then(verify)));
    expect(most).toBe(1);
  });

  it('refuses who has waited for ten seconds, and goes on with the others', async () => {
    const { running, verify } = held(1);
    const first = verify();
    const late = verify().catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(9_000);
    const patient = verify();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await late).toMatchObject({ code: 'sign_in_busy' });
    running[0]?.();
    await turn();
    running[1]?.();
    expect(await Promise.all([first, patient])).toEqual([true, true]);
  });

  it('goes on after a hash that failed', async () => {
    const hashing = new Hashing({
      atOnce: 1,
      verify: async (password) => {
        if (password === 'bad') throw new Error('broken');
        return true;
      },
      hash: async () => '',
    });
    const hash = { cost: 4, text: '' };
    const [bad, good] = await Promise.allSettled([hashing.verify('bad', hash), hashing.verify('good', hash)]);
    expect([bad.status, good.status]).toEqual(['rejected', 'fulfilled']);
  });
});

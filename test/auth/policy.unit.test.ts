import { describe, expect, it } from 'vitest';
import { requireStrong } from '../../functions/auth/account/policy.ts';
import { createPlatform } from '../../shared/adapters/node/platform.ts';
import type { Call } from '../../shared/ports/runtime.ts';

const log = { debug() {}, info() {}, warn() {}, error() {} };

function deps(breachCheck = false, reply: (call: Call) => string = () => '') {
  const calls: Call[] = [];
  return {
    calls,
    log,
    config: { breachCheck },
    platform: {
      ...createPlatform(),
      exchange: async (call: Call) => {
        calls.push(call);
        return { status: 200, headers: {}, text: reply(call) };
      },
    },
  };
}

type Given = Parameters<typeof requireStrong>[2];
const judge = (password: string, personal: readonly string[] = [], given: object = deps()) =>
  requireStrong(password, personal, given as Given);

describe('a new password', () => {
  it.each([
    'password',
    'Password1!',
    'P4$$w0rd',
    'qwertyuiop',
    'qwertz123',
    '12345678',
    '11111111',
    'abcabcabc',
    'iloveyou2024',
    'Letmein!!!',
    'qwerqwer',
  ])('is refused: %s is tried first, or is short', async (password) => {
    await expect(judge(password)).rejects.toMatchObject({ code: 'weak_password' });
  });

  it.each([
    'a few plain words',
    'lower case alone',
    'ülkü çok güzel',
    'tr0ub4dor&3x',
    '🔑🔑🗝️ are three keys',
  ])('is taken without any rule of composition: %s', async (password) => {
    await expect(judge(password)).resolves.toBeUndefined();
  });

  it('is neither shorter than 8 characters nor longer than the 72 bytes that count', async () => {
    for (const password of ['short', 'é'.repeat(7), 'x'.repeat(73), `${'é'.repeat(36)}x`, 'with\0nothing'])
      await expect(judge(password)).rejects.toMatchObject({ code: 'weak_password' });
    await expect(judge(`${'é'.repeat(35)}xy`)).resolves.toBeUndefined();
  });

  it('is not the address or the name of the account', async () => {
    for (const password of ['jane.doe@example.org', 'jane.doe1', 'JANEDOE', 'acmeinc2024'])
      await expect(judge(password, ['jane.doe@example.org', 'janedoe', 'acmeinc'])).rejects.toMatchObject({
        code: 'weak_password',
      });
  });

  it('goes out as five digits of its SHA-1 alone, where breaches are looked up', async () => {
    // SHA-1 of `a few plain words`, found by the test itself.
    const digest = Buffer.from(await crypto.subtle.digest('SHA-1', Buffer.from('a few plain words')))
      .toString('hex')
      .toUpperCase();
    const known = deps(true, () => `${'0'.repeat(35)}:3\r\n${digest.slice(5)}:7`);
    await expect(judge('a few plain words', [], known)).rejects.toMatchObject({ code: 'weak_password' });
    expect(known.calls.map(({ url }) => url)).toEqual([
      `https://api.pwnedpasswords.com/range/${digest.slice(0, 5)}`,
    ]);
    const padding = deps(true, () => `${digest.slice(5)}:0`);
    await expect(judge('a few plain words', [], padding)).resolves.toBeUndefined();
    const away = deps(true, () => {
      throw new Error('away');
    });
    await expect(judge('a few plain words', [], away)).resolves.toBeUndefined();
  });
});

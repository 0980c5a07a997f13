import { describe, expect, it } from 'vitest';
import { generateKeys, parseKeys, rotate } from '../../cli/keys.ts';
import { parseSigningKeys } from '../../shared/keys/signing-keys.ts';

describe('keys generate', () => {
  it('makes what the gateway accepts as ASSERTION_KEYS, another one each time', async () => {
    const [one, other] = [await generateKeys(), await generateKeys()];
    expect(parseSigningKeys(JSON.stringify(one)).kid).toBe(one.keys[0]?.kid);
    expect(one.keys[0]?.kid).not.toBe(other.keys[0]?.kid);
  });

  it('puts the new key first and keeps so many', async () => {
    const [old, older, fresh] = [await generateKeys(), await generateKeys(), await generateKeys()];
    const existing = parseKeys(JSON.stringify({ keys: [...old.keys, ...older.keys] }));
    expect(rotate(fresh, existing, 2)).toEqual({ keys: [...fresh.keys, ...old.keys] });
    expect(rotate(fresh, existing, 9).keys).toHaveLength(3);
  });

  it.each(['SECRET', '{"keys":[{"kid":"a","d":"SECRET"}]}', '{"keys":[]}'])(
    'refuses %s without quoting it',
    (text) => {
      expect(() => parseKeys(text)).toThrow(/^the existing keys cannot be used: (?!.*SECRET)/);
    },
  );
});

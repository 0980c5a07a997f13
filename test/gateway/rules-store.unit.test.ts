import { expect, it } from 'vitest';
import { openRules } from '../../functions/gateway/rules-store.ts';

const RULES = JSON.stringify([{ path: '/a', method: 'GET', feature: 'public_access' }]);
const log = { debug() {}, info() {}, warn() {}, error() {} };

it('a rules file that comes back as it was is no longer called refused', () => {
  let text: string | undefined = RULES;
  let changed = (): void => undefined;
  const platform = {
    runtime: 'node' as const,
    readText() {
      if (text === undefined) throw new Error('ENOENT');
      return text;
    },
    watchText(_path: string, listener: () => void) {
      changed = listener;
      return () => undefined;
    },
  };
  const store = openRules({ kind: 'file', path: 'rules.json' }, new Set(['upstream']), { platform, log });
  text = undefined;
  changed();
  expect(store.state()).toMatchObject({
    rules: 1,
    refused: expect.stringContaining('cannot be read') as string,
  });
  text = RULES;
  changed();
  expect(store.state()).toEqual({ rules: 1 });
});

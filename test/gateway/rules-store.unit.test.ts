import { expect, it } from 'vitest';
import { openRules, type RulesStore } from '../../functions/gateway/match/store.ts';
import { parseModel } from '../../shared/adapters/openfga/model-file.ts';

const RULES = JSON.stringify([{ path: '/a', method: 'GET', feature: 'public_access' }]);
const INVOICES = JSON.stringify([{ path: '/a', method: 'GET', object: 'invoice:1' }]);
const MODEL = 'model\n  schema 1.1\ntype user\ntype document\n  relations\n    define viewer: [user]\n';
const log = { debug() {}, info() {}, warn() {}, error() {} };
const missing = (): never => {
  throw Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' });
};

interface Stage {
  readonly store: RulesStore;
  /** Writes a file, or removes it, and lets the watcher see it. */
  readonly change: (path: string, text: string | undefined) => void;
}

function stage(files: Record<string, string | undefined>, optional = true): Stage {
  const listeners = new Map<string, () => void>();
  const platform = {
    runtime: 'node' as const,
    parseModel,
    readText: (path: string) => files[path] ?? missing(),
    watchText(path: string, listener: () => void) {
      listeners.set(path, listener);
      return () => undefined;
    },
  };
  const sources = {
    current: { kind: 'file', path: 'rules.json' },
    model: { path: 'model.fga', optional },
  } as const;
  return {
    store: openRules(sources, { targets: new Set(['upstream']) }, { platform, log }),
    change(path, text) {
      files[path] = text;
      listeners.get(path)?.();
    },
  };
}

it('a rules file that comes back as it was is no longer called refused', () => {
  const { store, change } = stage({ 'rules.json': RULES });
  change('rules.json', undefined);
  expect(store.state()).toMatchObject({
    rules: 1,
    refused: expect.stringContaining('cannot be read') as string,
  });
  change('rules.json', RULES);
  expect(store.state()).toEqual({ rules: 1 });
});

it('changed rules that ask what the model lacks are refused, until the model has it', () => {
  const { store, change } = stage({ 'rules.json': RULES, 'model.fga': MODEL });
  change('rules.json', INVOICES);
  expect(store.state().refused).toContain('model.fga has no type "invoice"');
  expect(store.current().rules[0]?.access.kind).toBe('public');
  change('model.fga', MODEL.replace('document', 'invoice'));
  expect(store.state()).toEqual({ rules: 1 });
  expect(store.current().rules[0]?.access.kind).toBe('relation');
});

it('a model that changes under the rules, or breaks, leaves those in force', () => {
  const { store, change } = stage({
    'rules.json': INVOICES.replace('invoice', 'document'),
    'model.fga': MODEL,
  });
  change('model.fga', MODEL.replace('viewer', 'reader'));
  expect(store.state().refused).toContain('no relation "viewer" on document');
  change('model.fga', 'typ');
  expect(store.state().refused).toMatch(/^OPENFGA_MODEL model\.fga is no OpenFGA model: 1:1 /);
  expect(store.current().rules).toHaveLength(1);
  change('model.fga', MODEL);
  expect(store.state()).toEqual({ rules: 1 });
});

it('a default model that is not there holds nothing; one that is named has to be there', () => {
  expect(stage({ 'rules.json': INVOICES }).store.state()).toEqual({ rules: 1 });
  expect(() => stage({ 'rules.json': INVOICES }, false)).toThrow('cannot be read');
});

it('a change that leaves the demanded claims as they are leaves what is remembered of tokens usable', () => {
  const rules = (...claims: readonly object[]) =>
    JSON.stringify(claims.map((demanded, at) => ({ path: `/${at}`, method: 'GET', claims: demanded })));
  const { store, change } = stage({ 'rules.json': rules({ tier: 'gold' }, { scope: 'a' }) });
  const before = store.current().claimNames;
  change('rules.json', rules({ scope: 'b' }, { tier: 'gold' }, { scope: 'c' }));
  expect(store.current().rules).toHaveLength(3);
  expect(store.current().claimNames).toBe(before);
  change('rules.json', rules({ scope: 'b' }, { groups: 'staff' }));
  expect([...store.current().claimNames]).toEqual(['groups', 'scope']);
});

import { describe, expect, it } from 'vitest';
import { openConfigured } from '../../functions/configuration.ts';
import { parseModel } from '../../shared/adapters/openfga/model-file.ts';
import type { Runtime } from '../../shared/configuration/slice.ts';

const USABLE = {
  UPSTREAM_URL: 'https://api.example.org',
  OPENFGA_URL: 'https://fga.example.org',
  OPENFGA_STORE_ID: '01J00000000000000000000000',
  ACCESS_RULES: '[]',
};
const MODEL = 'model\n  schema 1.1\ntype user\ntype document\n  relations\n    define viewer: [user]\n';
const TO_BILLING = '[{"path":"/b","method":"GET","feature":"public_access","target":"billing"}]';
const TO_ZITADEL = TO_BILLING.replace('billing', 'zitadel');

/** As a runtime without any file but a model. */
function faultsOf(
  changes: Record<string, string>,
  open: () => void = () => undefined,
  runtime: Runtime = 'node',
): readonly string[] {
  const readText = (path: string): string => {
    if (path === 'model.fga') return MODEL;
    throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
  };
  const opened = openConfigured(
    { ...USABLE, ...changes },
    { readText, readFolder: () => new Map(), parseModel, runtime },
    open,
  );
  return opened.ok ? [] : opened.faults;
}

/** Opening ends with the first thing that cannot be used, whichever that is. */
function refuse(): never {
  throw new Error('unusable');
}

const names = (faults: readonly string[]) => faults.map((fault) => fault.split(' ')[0]);

describe('faults of a configuration are told together', () => {
  it('those of variables, rules and grants', () => {
    const faults = faultsOf({
      PORT: 'x',
      ACCESS_RULES: 'gone.json',
      DEFAULT_GRANTS: '[{',
    });
    expect(names(faults)).toEqual(['PORT', 'ACCESS_RULES', 'DEFAULT_GRANTS']);
  });

  it('those of rules against the model, and of the model itself', () => {
    const rules = '[\n{"path":"/a","method":"GET","object":"docment:1"}]';
    const held = { ACCESS_RULES: rules, OPENFGA_MODEL: 'model.fga' };
    for (const faults of [faultsOf(held, refuse), faultsOf({ ...held, PORT: 'x' }).slice(1)])
      expect(faults).toEqual([expect.stringMatching(/^ACCESS_RULES 2:\d+ .*mean "document"/) as string]);
    expect(names(faultsOf({ ACCESS_RULES: '[{', OPENFGA_MODEL: 'gone.fga' }, refuse))).toEqual([
      'OPENFGA_MODEL',
      'ACCESS_RULES',
    ]);
    expect(faultsOf({ ACCESS_RULES: rules, OPENFGA_MODEL: 'off', PORT: 'x' })).toHaveLength(1);
  });

  it('those of all texts, where every variable is well-formed', () => {
    const faults = faultsOf({ ACCESS_RULES: 'gone.json', DEFAULT_GRANTS: '[{' }, refuse);
    expect(names(faults)).toEqual(['ACCESS_RULES', 'DEFAULT_GRANTS']);
  });

  it('each rule and each grant with its place', () => {
    const faults = faultsOf({
      PORT: 'x',
      ACCESS_RULES:
        '[\n{"path":"a","method":"GET","feature":"x"},\n{"path":"b","method":"GET","feature":"x"}]',
      DEFAULT_GRANTS: '[\n{"relation":"a b","object":"feature:x"},\n{"relation":"viewer","object":"x"}]',
    });
    const placed = (variable: string) =>
      faults.flatMap((fault) => fault.match(`^${variable} (\\d+:\\d+) `)?.[1] ?? []);
    expect(placed('ACCESS_RULES')).toEqual(['2:2', '3:2']);
    expect(placed('DEFAULT_GRANTS')).toEqual(['2:2', '3:22']);
  });

  it.each(['{"a":1}', '"config/access_rules.json"'])('text that is %s is told to be a list', (text) => {
    const faults = faultsOf({ ACCESS_RULES: text, DEFAULT_GRANTS: text }, refuse);
    expect(names(faults)).toEqual(['ACCESS_RULES', 'DEFAULT_GRANTS']);
    for (const fault of faults) expect(fault).toContain('JSON array');
  });
});

describe('no fault is made up', () => {
  it.each<[string, Record<string, string>, string[]]>([
    [
      'a rule to a target of a faulty URL',
      { ACCESS_RULES: TO_BILLING, TARGET_BILLING_URL: 'x' },
      ['TARGET_BILLING_URL'],
    ],
    [
      'a rule to a faulty issuer',
      { ACCESS_RULES: TO_ZITADEL, ZITADEL_ISSUER_URL: 'x', ZITADEL_AUDIENCE: 'a' },
      ['ZITADEL_ISSUER_URL'],
    ],
    [
      'a rule to a missing upstream',
      { ACCESS_RULES: TO_BILLING.replace('billing', 'upstream'), UPSTREAM_URL: '' },
      ['UPSTREAM_URL'],
    ],
    ['default grants that nobody reads', { PORT: 'x' }, ['PORT']],
  ])('%s', (_name, changes, variables) => {
    expect(names(faultsOf(changes))).toEqual(variables);
  });

  it('but a rule to a target that no variable names has one', () => {
    expect(names(faultsOf({ ACCESS_RULES: TO_BILLING, PORT: 'x' }))).toEqual(['PORT', 'ACCESS_RULES']);
  });

  it('of what is no fault of the configuration', () => {
    expect(() => faultsOf({}, refuse)).toThrow('unusable');
  });
});

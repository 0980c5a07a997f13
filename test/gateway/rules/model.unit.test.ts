import { describe, expect, it } from 'vitest';
import { compileRules } from '../../../functions/gateway/match/rules/compile.ts';
import { parseModel } from '../../../shared/adapters/openfga/model-file.ts';
import { askableOf, UnusableModel } from '../../../shared/ports/authorization-models.ts';
import { closest } from '../../../shared/nearest.ts';
import { TARGETS } from './support.ts';

const DSL = `model
  schema 1.1
type user
type service
type group
  relations
    define member: [user, group#member]
type folder
  relations
    define owner: [service]
    define viewer: [group#member]
type document
  relations
    define parent: [folder]
    define owner: [service]
    define viewer: [user:*] or viewer from parent
    define view: viewer
    define approve: viewer and owner
    define read: viewer but not owner
    define from_owner: owner from parent
    define inherited: viewer from parent
    define circle: circle_too
    define circle_too: circle
`;
const askable = askableOf(parseModel(DSL));

function faultsOf(rule: object): string[] {
  const text = JSON.stringify([{ path: '/d/:id', method: 'GET', ...rule }]);
  const compilation = compileRules(text, { targets: TARGETS, model: { name: 'config/model.fga', askable } });
  if (compilation.ok) return [];
  return compilation.findings.map(({ code, pointer, message }) => `${code} ${pointer} ${message}`);
}

describe('rules are held against the model', () => {
  it.each(['viewer', 'view', 'read', 'inherited'])('what a user may hold is asked: %s', (action) => {
    expect(faultsOf({ object: 'document:{id}', action })).toEqual([]);
  });

  it.each<[object, string, string]>([
    [{ object: 'docment:{id}' }, 'unknown_type /0/object', 'did you mean "document"?'],
    [{ feature: 'x' }, 'unknown_type /0/feature', 'it has group, folder, document'],
    [{ object: 'document:{id}', action: 'veiw' }, 'unknown_relation /0/action', 'did you mean "view"?'],
    [{ object: 'group:{id}' }, 'unknown_relation /0/object', 'no relation "viewer" on group'],
    [{ object: 'user:{id}', action: 'x' }, 'unknown_relation /0/action', 'it has none'],
  ])('%j is a fault at its place, with the nearest right name', (rule, where, words) => {
    const [fault, ...others] = faultsOf(rule);
    expect(others).toEqual([]);
    expect(fault).toContain(where);
    expect(fault).toContain(words);
  });

  it.each(['parent', 'owner', 'approve', 'from_owner', 'circle'])(
    'what no user can ever hold is a fault: %s',
    (action) => {
      expect(faultsOf({ object: 'document:{id}', action })).toEqual([
        expect.stringContaining(`no user can be ${action} of document`) as string,
      ]);
    },
  );

  it('a model without the type user is named as such', () => {
    const model = { name: 'the model', askable: askableOf(parseModel(DSL.replace('type user\n', ''))) };
    const nameless = { ...model, askable: new Map([...model.askable].filter(([type]) => type !== 'user')) };
    const text = JSON.stringify([{ path: '/a', method: 'GET', object: 'document:1', action: 'owner' }]);
    const compilation = compileRules(text, { targets: TARGETS, model: nameless });
    expect(JSON.stringify(compilation)).toContain('has no type \\"user\\"');
  });

  it('without a model nothing is made up', () => {
    const text = JSON.stringify([{ path: '/a', method: 'GET', object: 'anything:1', action: 'goes' }]);
    expect(compileRules(text, { targets: TARGETS })).toMatchObject({ ok: true });
  });
});

describe('slips of the hand in the special words', () => {
  it.each([
    ['public_acces', 'public_access'],
    ['Public_Access', 'public_access'],
    ['publicaccess', 'public_access'],
    ['public-access', 'public_access'],
    ['pubilc_access', 'public_access'],
    ['feature:public_acess', 'public_access'],
    ['authentcated', 'authenticated'],
    ['Authenticated', 'authenticated'],
    ['autenticted', 'authenticated'],
  ])('%s is a fault, not a feature that nobody has', (feature, word) => {
    const text = JSON.stringify([{ path: '/a', method: 'GET', feature }]);
    const compilation = compileRules(text, { targets: TARGETS });
    const [finding] = compilation.ok ? [] : compilation.findings;
    expect(finding).toMatchObject({ code: 'invalid_feature', pointer: '/0/feature' });
    expect(finding?.message).toContain(`looks like ${word}`);
  });

  it.each(['authenticator', 'authentication', 'public_accounts', 'public', 'access', 'author'])(
    'the feature %s stays one',
    (feature) => {
      const text = JSON.stringify([{ path: '/a', method: 'GET', feature }]);
      expect(compileRules(text, { targets: TARGETS })).toMatchObject({ ok: true });
    },
  );
});

it('a guess is made only of what is near', () => {
  expect(closest('docmuent', ['feature', 'document'])).toBe('document');
  expect(closest('edit', ['view', 'viewer'])).toBeUndefined();
  expect(closest('', [])).toBeUndefined();
});

describe('a model file', () => {
  it('is refused with the place of its first fault, counted from 1', () => {
    expect(() => parseModel('model\n  schema 1.1\ntyp user\n')).toThrow(/^is no OpenFGA model: 3:\d+ /);
    expect(() => parseModel('')).toThrow(UnusableModel);
    expect(() => parseModel('module x\ntype user\n')).toThrow(UnusableModel);
  });

  it('may begin with a byte order mark, and is UTF-8', () => {
    expect(parseModel(`\ufeff${DSL}`)).toEqual(parseModel(DSL));
    expect(() => parseModel(DSL.replace('type user', '# caf\ufffd\ntype user'))).toThrow('not UTF-8');
  });
});

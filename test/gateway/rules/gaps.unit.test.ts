import { describe, expect, it } from 'vitest';
import { compileRules } from '../../../functions/gateway/match/rules/compile.ts';
import { findingsOf, TARGETS } from './support.ts';

const guard = (path: string, method: string | string[] = '*', more: object = {}) => ({
  path,
  method,
  feature: 'x',
  ...more,
});
const free = (path: string, method: string | string[] = '*', more: object = {}) =>
  guard(path, method, { feature: 'public_access', ...more });
const DOC = { feature: undefined, object: 'doc:{id}' };
const signedIn = (path: string, method: string | string[] = '*') =>
  guard(path, method, { feature: 'authenticated' });

/** Warnings alone; notes fail nothing. */
const gaps = (...rules: object[]): string[] =>
  findingsOf(rules)
    .filter(({ severity }) => severity === 'warning')
    .map(({ code, pointer }) => `${code} ${pointer}`);

describe('a neighbour by a slash that another rule decides', () => {
  it.each<[string, object[], string[]]>([
    ['beside a path', [guard('/admin'), free('/*rest')], ['slash_gap /0/path']],
    ['beside a parameter', [guard('/users/:id'), free('/users/*rest')], ['slash_gap /0/path']],
    ['before a slash', [guard('/admin/'), free('/:any')], ['slash_gap /0/path']],
    ['above a rest', [guard('/admin/*rest'), free('/*rest')], ['slash_gap /0/path']],
    ['above a rest, by a parameter', [guard('/admin/*rest'), free('/:page')], []],
    ['for signed-in callers only', [guard('/admin'), signedIn('/*rest')], ['slash_gap /0/path']],
    ['written for that very path', [guard('/admin'), free('/admin/')], ['slash_gap /0/path']],
    ['by another question', [guard('/a'), guard('/*rest', '*', { feature: 'y' })], ['slash_gap /0/path']],
  ])('is told: %s', (_name, rules, expected) => {
    expect(gaps(...rules)).toEqual(expected);
  });

  it('names both rules and the path between them', () => {
    const [finding] = findingsOf([guard('/admin/*rest'), free('/*rest')]);
    expect(finding?.message).toContain('protects /admin/*rest, but /admin, ');
    expect(finding?.message).toContain('rule /1 (/*rest)');
  });

  it.each<[string, object[]]>([
    [
      'where the pair is written as the documentation says',
      [guard('/admin'), guard('/admin/*rest'), free('/*rest')],
    ],
    ['where nothing else reaches it', [guard('/admin'), free('/public/*rest')]],
    ['where a list stands beside its items', [signedIn('/reports', 'GET'), guard('/reports/*rest')]],
    [
      'where the same is asked of both',
      [guard('/docs/:id', '*', DOC), guard('/docs/:doc/*rest', '*', { ...DOC, object: 'doc:{doc}' })],
    ],
    ['where more is asked', [signedIn('/me'), guard('/*rest')]],
    ['where it is for another method', [guard('/admin', 'POST'), free('/*rest', 'GET')]],
  ])('is not made up %s', (_name, rules) => {
    expect(gaps(...rules).filter((gap) => gap.startsWith('slash_gap'))).toEqual([]);
  });
});

describe('methods of a protected path', () => {
  it.each<[string, object[], string[]]>([
    [
      'fall to a wider public rule',
      [guard('/a/*rest', 'GET'), free('/a/*all', 'PUT'), free('/*rest')],
      ['slash_gap /0/path', 'method_gap /0/method'],
    ],
    [
      'fall to a wider rule for anyone signed in',
      [guard('/a/:id', 'GET', DOC), signedIn('/a/*rest')],
      ['slash_gap /0/path', 'method_gap /0/method'],
    ],
    ['HEAD falls to `*` beside a protected GET', [guard('/a', 'GET'), free('/a')], ['method_gap /0/method']],
  ])('%s', (_name, rules, expected) => {
    expect(gaps(...rules)).toEqual(expected);
  });

  it.each<[string, object[]]>([
    ['where all of them are named', [guard('/a', ['GET', 'HEAD']), free('/a')]],
    [
      'where reading is public and writing is not',
      [free('/a', ['GET', 'HEAD']), guard('/a', ['PUT', 'DELETE'])],
    ],
    [
      'where a rule answers preflights by name',
      [guard('/a/*rest', ['GET', 'HEAD']), free('/*rest', 'OPTIONS')],
    ],
  ])('are not made up %s', (_name, rules) => {
    expect(gaps(...rules).filter((gap) => gap.startsWith('method_gap'))).toEqual([]);
  });
});

describe('strip_prefix around a protected rule', () => {
  const STRIP = { strip_prefix: '/pub' };
  it.each<[string, object[], string[]]>([
    [
      'everything below a prefix',
      [guard('/admin/*rest'), free('/pub/*rest', 'GET', STRIP)],
      ['reach_around /1/strip_prefix'],
    ],
    ['one path', [guard('/admin/:id'), free('/pub/admin/7', 'GET', STRIP)], ['reach_around /1/strip_prefix']],
    [
      'by a parameter',
      [guard('/admin/users'), free('/pub/:any/users', 'GET', STRIP)],
      ['reach_around /1/strip_prefix'],
    ],
    ['the root', [guard('/', 'GET'), free('/pub', 'GET', STRIP)], ['reach_around /1/strip_prefix']],
    [
      'for signed-in callers',
      [guard('/admin/*rest'), { ...signedIn('/pub/*rest'), ...STRIP }],
      ['reach_around /1/strip_prefix'],
    ],
    [
      'in mode shadow',
      [guard('/admin/*rest'), guard('/pub/*rest', '*', { ...STRIP, mode: 'shadow' })],
      ['reach_around /1/strip_prefix'],
    ],
    [
      'around a rule that strips',
      [guard('/safe/*rest', 'GET', { strip_prefix: '/safe' }), free('/x/*rest', 'GET')],
      ['reach_around /0/strip_prefix'],
    ],
  ])('is told: %s', (_name, rules, expected) => {
    expect(gaps(...rules)).toEqual(expected);
  });

  it('names the rule it reaches around, and how many more', () => {
    const rules = [guard('/admin/*rest'), guard('/users/:id'), free('/pub/*rest', 'GET', STRIP)];
    const [finding] = findingsOf(rules).filter(({ code }) => code === 'reach_around');
    expect(finding?.message).toContain('anyone reach what rule /0 (/admin/*rest) and 1 more protects');
    expect(finding?.message).toContain('without /pub');
  });

  it.each<[string, object[]]>([
    [
      'at another target',
      [guard('/admin/*rest'), free('/pub/*rest', 'GET', { ...STRIP, target: 'zitadel' })],
    ],
    ['of other paths', [guard('/admin/*rest'), free('/pub/shop/*rest', 'GET', STRIP)]],
    ['for other methods', [guard('/admin/*rest', 'POST'), free('/pub/*rest', 'GET', STRIP)]],
    [
      'that a rule of its own protects',
      [guard('/admin/*rest'), free('/pub/*rest', 'GET', STRIP), guard('/pub/admin/*rest', '*', STRIP)],
    ],
    [
      'that is public anyway',
      [guard('/admin/*rest'), free('/admin/health', 'GET'), free('/pub/admin/health', 'GET', STRIP)],
    ],
    ['that asks as much', [guard('/admin/*rest'), guard('/pub/*rest', '*', STRIP)]],
    ['without strip_prefix', [guard('/admin/*rest'), free('/pub/*rest')]],
  ])('is not made up %s', (_name, rules) => {
    expect(gaps(...rules).filter((gap) => gap.startsWith('reach_around'))).toEqual([]);
  });
});

it('a wider rule that catches a protected path in another case is a note, not a warning', () => {
  const rules = [guard('/admin'), guard('/admin/*rest'), free('/*rest')];
  expect(findingsOf(rules)).toMatchObject([{ severity: 'note', code: 'case_gap', pointer: '/2/path' }]);
  expect(findingsOf([guard('/:id'), free('/public/*rest')])).toEqual([]);
});

it('a thousand rules are looked through in no noticeable time', () => {
  const rules = Array.from({ length: 1_000 }, (_, n) =>
    n % 2 === 0 ? guard(`/r${n}/*rest`) : free(`/p${n}/*rest`, 'GET', { strip_prefix: `/p${n}` }),
  );
  const compilation = compileRules(JSON.stringify(rules), { targets: TARGETS });
  expect(compilation.ok && compilation.warnings.length).toBe(500);
});

import { describe, expect, it } from 'vitest';
import { functionsOn } from '../../../functions/catalogue.ts';
import { ownPaths } from '../../../shared/edge/function.ts';
import { explain } from '../../../functions/gateway/match/rules/explain.ts';
import { compiled } from './support.ts';

const OWN_PATHS = ownPaths(functionsOn({}));

const rules = compiled([
  { path: '/documents/:id', method: 'GET', object: 'document:{id}', action: 'view' },
  { path: '/documents/*rest', method: '*', feature: 'x' },
  { path: '/documents/:id', method: '*', feature: 'authenticated' },
  { path: '/a', method: 'PUT', feature: 'x' },
]);

describe('explain', () => {
  it('names the winner, the object it asks for, and why each other fitting rule lost', () => {
    const answer = explain(rules, OWN_PATHS, 'GET', '/documents/7?x=1');
    expect(answer).toMatchObject({ kind: 'matched', match: { rule: { index: 0 } }, object: 'document:7' });
    expect(answer.kind === 'matched' ? answer.lost.map(({ rule, why }) => [rule.index, why]) : []).toEqual([
      [1, 'segment 2: :id is more specific than *rest'],
      [2, '* loses to the named method GET'],
    ]);
  });

  it('says that a rule is for other methods', () => {
    expect(explain(rules, OWN_PATHS, 'GET', '/a')).toMatchObject({
      kind: 'unmatched',
      lost: [{ why: 'is not for GET' }],
    });
  });

  it('notices that only a slash differs', () => {
    expect(explain(rules, OWN_PATHS, 'PUT', '/a/')).toMatchObject({
      hint: 'without a slash at the end, /a would match',
    });
    expect(explain(rules, OWN_PATHS, 'PUT', '/b')).toMatchObject({ kind: 'unmatched', hint: undefined });
  });

  it('tells a path that is refused before any rule, and one whose object cannot be named', () => {
    expect(explain(rules, OWN_PATHS, 'GET', '/documents/..%2f7')).toMatchObject({ kind: 'refused' });
    expect(explain(rules, OWN_PATHS, 'GET', '/documents/a%20b')).toMatchObject({
      kind: 'matched',
      object: undefined,
    });
    expect(explain(rules, OWN_PATHS, 'GET', '/documents/a%20b')).toHaveProperty(
      'refusal',
      expect.stringContaining('"id"'),
    );
  });

  it("knows the bundle's own routes", () => {
    expect(explain(rules, OWN_PATHS, 'GET', '/ready')).toEqual({ kind: 'own_route' });
    expect(explain(rules, OWN_PATHS, 'GET', '/re%61dy')).toMatchObject({
      kind: 'refused',
      code: 'not_found',
    });
  });
});

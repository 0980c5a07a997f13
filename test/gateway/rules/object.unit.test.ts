import { describe, expect, it } from 'vitest';
import { objectOf } from '../../../functions/gateway/match/rules/object.ts';
import type { RelationAccess } from '../../../functions/gateway/match/types.ts';
import { Refusal } from '../../../shared/errors.ts';
import { compiled, summary } from './support.ts';

function accessOf(rule: object): RelationAccess {
  const access = compiled([{ method: 'GET', ...rule }]).rules[0]?.access;
  if (access?.kind !== 'relation') throw new Error('not a relation');
  return access;
}

describe('features', () => {
  it.each(['report_viewer', 'feature:report_viewer'])('%s is the object feature:report_viewer', (feature) => {
    const access = accessOf({ path: '/a', feature });
    expect(access.relation).toBe('viewer');
    expect(objectOf(access, {})).toBe('feature:report_viewer');
  });
});

describe('object templates', () => {
  const access = accessOf({ path: '/o/:org/d/*id', object: 'document:{org}/x-{id}', action: 'edit' });

  it('are filled from the path', () => {
    expect(access.relation).toBe('edit');
    expect(objectOf(access, { org: 'a', id: 'b/c' })).toBe('document:a/x-b/c');
  });

  it.each([
    '',
    'a b',
    'a\u00a0b',
    'a#member',
    'user:1',
    'a\u0007',
    'a\u2028',
    'a\u0085b',
    'a\u009f',
    'a\ud800',
    'x'.repeat(256),
    'é'.repeat(125),
  ])('never take a value that OpenFGA reads otherwise: %j', (id) => {
    expect(() => objectOf(access, { org: 'a', id })).toThrow(Refusal);
  });

  it('never become a wildcard', () => {
    const bare = accessOf({ path: '/d/:id', object: 'document:{id}' });
    expect(() => objectOf(bare, { id: '*' })).toThrow(
      expect.objectContaining({ code: 'invalid_path' }) as Error,
    );
    expect(objectOf(bare, { id: '*a' })).toBe('document:*a');
  });

  it('refuse a parameter that is not there, also an inherited one', () => {
    const named = accessOf({ path: '/d/:constructor', object: 'document:{constructor}' });
    expect(() => objectOf(named, Object.create(null) as Record<string, string>)).toThrow(Refusal);
  });

  it('with values side by side are told to be ambiguous', () => {
    const of = (object: string, path = '/x/:a/:b') => summary([{ path, method: 'GET', object }]);
    expect(of('d:{a}{b}')).toEqual(['ambiguous_object /0/object']);
    expect(of('d:{a}-{b}')).toEqual(['ambiguous_object /0/object']);
    expect(of('d:{a}/{b}')).toEqual([]);
    expect(of('d:{a}/{b}', '/x/:a/*b')).toEqual(['ambiguous_object /0/object']);
  });
});

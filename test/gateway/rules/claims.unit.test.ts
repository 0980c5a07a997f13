import { describe, expect, it } from 'vitest';
import { readFeatureRules } from '../../../functions/synced-rules.ts';
import { demandsOf, unmet } from '../../../functions/gateway/match/rules/claims.ts';
import { compiled, findingsOf, summary } from './support.ts';

const rule = { path: '/a', method: 'GET' };
const ROLES = 'urn:zitadel:iam:org:project:roles';

function meets(wanted: Parameters<typeof demandsOf>[0], claims: Record<string, unknown>): boolean {
  return unmet(demandsOf(wanted), claims) === undefined;
}

describe('a claim holds a value', () => {
  it.each<[string, Parameters<typeof demandsOf>[0], Record<string, unknown>]>([
    ['as its text', { tier: 'gold' }, { tier: 'gold' }],
    ['as its number', { level: 3 }, { level: 3 }],
    ['as true', { email_verified: true }, { email_verified: true }],
    ['in a list', { groups: 'staff' }, { groups: ['users', 'staff'] }],
    ['all of several in a list', { groups: ['staff', 'users'] }, { groups: ['users', 'staff'] }],
    ['among space-separated scopes', { scope: 'reports:read' }, { scope: 'openid reports:read' }],
    ['among the scopes of scp', { scp: 'Files.Read' }, { scp: 'Files.Read User.Read' }],
    ['in scopes that are a list', { scope: ['a', 'b'] }, { scope: ['b', 'a'] }],
    ['as a key of an object', { [ROLES]: 'admin' }, { [ROLES]: { admin: { '77': 'example.org' } } }],
    ['when every other claim holds too', { a: '1', b: '2' }, { a: '1', b: ['2'] }],
  ])('%s', (_how, wanted, claims) => {
    expect(meets(wanted, claims)).toBe(true);
  });

  it.each<[string, Parameters<typeof demandsOf>[0], Record<string, unknown>]>([
    ['when it is absent', { tier: 'gold' }, {}],
    ['when it is null', { tier: 'gold' }, { tier: null }],
    ['as a part of a text', { tier: 'gold' }, { tier: 'golden' }],
    // Whoever chooses a display name would choose roles.
    ['as a word of a text that is no scope', { name: 'admin' }, { name: 'admin bob' }],
    ['as a part of a scope', { scope: 'reports:read' }, { scope: 'reports:readonly' }],
    ['as the whole of two scopes', { scope: 'a' }, { scope: 'ab a,b' }],
    ['with another type', { level: 3 }, { level: '3' }],
    ['as the text of a boolean', { email_verified: true }, { email_verified: 'true' }],
    ['in a list within a list', { groups: 'staff' }, { groups: [['staff']] }],
    ['when one of several is missing', { groups: ['staff', 'users'] }, { groups: ['staff'] }],
    ['when one claim of two lacks it', { a: '1', b: '2' }, { a: '1', b: '3' }],
    ['as a key whose value is false', { roles: 'admin' }, { roles: { admin: false } }],
    ['as a key whose value is null', { roles: 'admin' }, { roles: { admin: null } }],
    ['as a key that every object has', { roles: 'toString' }, { roles: {} }],
    ['as a place in a list', { groups: '0' }, { groups: ['staff'] }],
    ['as a name that every object has', { constructor: 'x' }, {}],
  ])('not %s', (_how, wanted, claims) => {
    expect(meets(wanted, claims)).toBe(false);
  });
});

describe('claims of a rule', () => {
  it('alone ask for any token that has them, beside a feature for both', () => {
    const claims = { scope: ['a', 'b'], tier: 'gold' };
    const demands = [
      { name: 'scope', values: ['a', 'b'] },
      { name: 'tier', values: ['gold'] },
    ];
    const { rules, claimNames } = compiled([
      { ...rule, claims },
      { ...rule, path: '/b', feature: 'x', claims },
      { ...rule, path: '/c', feature: 'authenticated', claims, mode: 'shadow' },
    ]);
    expect(rules.map(({ access, claims: wanted }) => [access.kind, wanted])).toEqual([
      ['authenticated', demands],
      ['relation', demands],
      ['authenticated', demands],
    ]);
    expect([...claimNames]).toEqual(['scope', 'tier']);
  });

  it.each<[object | string, string]>([
    [{ claims: {} }, 'invalid_value /0/claims'],
    [{ claims: [] }, 'invalid_value /0/claims'],
    [{ claims: null }, 'invalid_value /0/claims'],
    [{ claims: { a: null } }, 'invalid_value /0/claims/a'],
    [{ claims: { a: [] } }, 'invalid_value /0/claims/a'],
    [{ claims: { a: '' } }, 'invalid_value /0/claims/a'],
    [{ claims: { a: { b: 'c' } } }, 'invalid_value /0/claims/a'],
    [{ claims: { '': 'c' } }, 'invalid_value /0/claims/'],
    [{ claims: { scope: 'a b' } }, 'invalid_value /0/claims/scope'],
    [{ claims: { scope: 7 } }, 'invalid_value /0/claims/scope'],
    [{ claims: { scope: 'a"b' } }, 'invalid_value /0/claims/scope'],
    [{ feature: 'x', claims: {} }, 'invalid_value /0/claims'],
    [{ feature: 'public_access', claims: { a: 'b' } }, 'ambiguous_access /0/claims'],
    ['{"path":"/a","method":"GET","claims":{"a":"b","__proto__":"x"}}', 'invalid_value /0/claims/__proto__'],
  ])('are refused as %j', (fields, finding) => {
    const entry = typeof fields === 'string' ? fields : JSON.stringify({ ...rule, ...fields });
    expect(summary(`[${entry}]`)).toEqual([finding]);
  });

  it.each<[unknown, string[]]>([
    [[], ['claims: write claims by name, as in {"scope": "reports:read"}']],
    ['admin', ['claims: write claims by name, as in {"scope": "reports:read"}']],
    [{ '': 'c' }, ['claims: a claim has a name']],
    [{ a: null }, ['claims.a: write a text, a number, true or false, or a list of them']],
    [{ a: ['x', null] }, ['claims.a: write a text, a number, true or false, or a list of them']],
    [{ a: [] }, ['claims.a: is empty: write at least one value']],
    [{ a: '' }, ['claims.a: is empty: write a text']],
    [{ scope: ['a b', ''] }, ['claims.scope: is empty: write a text']],
    [
      { scope: 7 },
      ['claims.scope: a scope is a text without spaces, quotes or backslashes: write several as a list'],
    ],
    [{ a: '', b: [] }, ['claims.a: is empty: write a text', 'claims.b: is empty: write at least one value']],
  ])('say in one line for each fault what to write: %j', (claims, messages) => {
    expect(findingsOf([{ ...rule, claims }]).map(({ message }) => message)).toEqual(messages);
  });

  it('alone have nothing to carry over, and are no open door before a feature', () => {
    const read = readFeatureRules(JSON.stringify([{ ...rule, claims: { a: 'b' } }]));
    expect(read).toMatchObject({ ok: true, rules: [{ requirement: { kind: 'other' } }] });
  });
});

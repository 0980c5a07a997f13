import { describe, expect, it } from 'vitest';
import { explain } from '../../../functions/gateway/match/rules/explain.ts';
import { readFeatureRules } from '../../../functions/synced-rules.ts';
import { functionsOn } from '../../../functions/catalogue.ts';
import { ownPaths } from '../../../shared/edge/function.ts';
import { compiled, findingsOf, summary } from './support.ts';

const rule = { path: '/tenants/:tenant/*rest', method: 'GET' };

describe('the tenant that a rule demands', () => {
  it('is any, or the one that a parameter names; alone it asks for any token besides', () => {
    const { rules } = compiled([
      { ...rule, tenant: '{tenant}' },
      { path: '/mine', method: 'GET', feature: 'reports', tenant: 'required' },
      { path: '/open', method: 'GET', feature: 'authenticated' },
    ]);
    expect(rules.map(({ tenant, access }) => [tenant, access.kind])).toEqual([
      [{ kind: 'param', name: 'tenant' }, 'authenticated'],
      [{ kind: 'any' }, 'relation'],
      [undefined, 'authenticated'],
    ]);
  });

  it.each([
    [{ tenant: 'acme' }, 'invalid_value /0/tenant'],
    [{ tenant: '' }, 'invalid_value /0/tenant'],
    [{ tenant: true }, 'invalid_value /0/tenant'],
    [{ tenant: '{tenant}{rest}' }, 'invalid_value /0/tenant'],
    [{ tenant: '{other}' }, 'unknown_parameter /0/tenant'],
    [{ tenant: '{rest}' }, 'invalid_value /0/tenant'],
    [{ tenant: 'required', feature: 'public_access' }, 'ambiguous_access /0/tenant'],
  ])('%j is refused', (written, finding) => {
    expect(summary([{ ...rule, ...written }])).toEqual([finding]);
  });

  it('is said to need one segment', () => {
    const [finding] = findingsOf([{ ...rule, tenant: '{rest}' }]);
    expect(finding?.message).toBe('tenant: *rest is the rest of the path; a tenant is one segment, :rest');
  });

  it('protects a path as a relation does: ways around it are warned of', () => {
    const wide = { path: '/tenants/*all', method: '*', feature: 'authenticated' };
    expect(summary([{ ...rule, tenant: '{tenant}' }, wide])).toContain('method_gap /0/method');
    expect(summary([{ ...rule, feature: 'authenticated' }, wide])).not.toContain('method_gap /0/method');
    const other = { path: '/tenants/:tenant', method: '*', tenant: 'required' };
    expect(summary([{ path: '/tenants/:tenant/*rest', method: '*', tenant: '{tenant}' }, other])).toEqual([
      'slash_gap /1/path',
    ]);
  });

  it('may be tried in the shadow', () => {
    expect(summary([{ ...rule, tenant: '{tenant}', mode: 'shadow' }])).toEqual([]);
  });

  it('is explained', () => {
    const rules = compiled([{ ...rule, tenant: '{tenant}' }]);
    const explanation = explain(rules, ownPaths(functionsOn({})), 'GET', '/tenants/acme/x');
    expect(explanation).toMatchObject({
      kind: 'matched',
      match: { rule: { tenant: { kind: 'param', name: 'tenant' } }, params: { tenant: 'acme' } },
    });
  });

  it('is no reason to name the cookie of a session as a place of its token', () => {
    expect(summary([{ ...rule, tenant: 'required', token: ['cookie:__Host-sallyport'] }])).toEqual([
      'invalid_value /0/token',
    ]);
  });

  it('is no open door for a sync of features', () => {
    const read = readFeatureRules(JSON.stringify([{ ...rule, tenant: '{tenant}' }]));
    expect(read).toMatchObject({ ok: true, rules: [{ requirement: { kind: 'other' } }] });
  });
});

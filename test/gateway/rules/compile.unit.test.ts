import { describe, expect, it } from 'vitest';
import { judgePath, stripPrefix } from '../../../functions/gateway/read/path.ts';
import { compiled } from './support.ts';

const rule = { path: '/a', method: 'GET', feature: 'x' };

function policy(fields: object) {
  return compiled([{ ...rule, rate_limit: '5/1m', ...fields }]).rules[0]?.rateLimit;
}

describe('a rule as the steps of the gateway read it', () => {
  it('takes the defaults of the contract', () => {
    expect(compiled([rule]).rules[0]).toMatchObject({
      index: 0,
      access: { kind: 'relation', relation: 'viewer', object: 'feature:x' },
      target: 'upstream',
      mode: 'enforce',
      forwardAuthorization: true,
      preserveHost: false,
      rateLimit: undefined,
      timeoutMs: undefined,
    });
  });

  it('takes what is written', () => {
    const written = {
      mode: 'shadow',
      forward_authorization: false,
      preserve_host: true,
      timeout_ms: 5,
      target: 'zitadel',
      action: 'edit',
    };
    expect(compiled([{ ...rule, ...written }]).rules[0]).toMatchObject({
      access: { relation: 'edit' },
      target: 'zitadel',
      mode: 'shadow',
      forwardAuthorization: false,
      preserveHost: true,
      timeoutMs: 5,
    });
  });

  it('reads public_access and authenticated as such, not as features', () => {
    expect(compiled([{ ...rule, feature: 'public_access' }]).rules[0]?.access).toEqual({ kind: 'public' });
    expect(compiled([{ ...rule, feature: 'authenticated' }]).rules[0]?.access).toEqual({
      kind: 'authenticated',
    });
  });
});

describe('the name of a rate policy', () => {
  it('stays when the rule moves and changes with path, methods and rate, so that no two share a counter', () => {
    expect(policy({})).toMatchObject({ limit: 5, windowMs: 60_000 });
    const moved = compiled([
      { ...rule, path: '/b' },
      { ...rule, rate_limit: '5/1m' },
    ]).rules[1]?.rateLimit;
    expect(moved).toEqual(policy({}));
    const names = [{}, { path: '/c' }, { method: '*' }, { rate_limit: '6/1m' }].map(
      (fields) => policy(fields)?.name,
    );
    expect(new Set(names).size).toBe(4);
  });
});

describe('strip_prefix', () => {
  it.each([
    ['/a b/v1', '/a%20b/v1/x', '/x'],
    ['/caf%c3%a9', '/caf%C3%A9/x/', '/x/'],
    ['/@me', '/@me/x', '/x'],
  ])('%s is what stripPrefix() takes off %s', (prefix, request, forwarded) => {
    const compiledRule = compiled([{ ...rule, path: `${prefix}/*rest`, strip_prefix: prefix }]).rules[0];
    expect(stripPrefix(judgePath(request), compiledRule?.stripPrefix ?? '').path).toBe(forwarded);
  });
});

import { describe, expect, it } from 'vitest';
import { compileRules } from '../../../functions/gateway/match/rules/compile.ts';
import { findingsOf, summary, TARGETS } from './support.ts';

describe('a field that changes nothing is warned of', () => {
  const rule = { path: '/a', method: 'GET' };
  const claims = { scope: 'x' };

  it.each<[string, object, string]>([
    ['action where anyone passes', { feature: 'public_access', action: 'admin' }, 'anyone passes'],
    [
      'action where any token passes',
      { feature: 'authenticated', action: 'admin' },
      'any valid token passes',
    ],
    ['action beside claims alone', { claims, action: 'admin' }, 'any valid token with the claims passes'],
  ])('%s', (_what, fields, words) => {
    expect(summary([{ ...rule, ...fields }])).toEqual(['no_effect /0/action']);
    expect(findingsOf([{ ...rule, ...fields }])[0]?.message).toContain(
      `action "admin" has no effect, ${words}`,
    );
  });

  it('forward_authorization, where the token stands in nothing that is forwarded', () => {
    const forwards = { ...rule, feature: 'authenticated', forward_authorization: true };
    expect(summary([{ ...forwards, token: ['protocol'] }])).toEqual(['no_effect /0/forward_authorization']);
    for (const token of [undefined, ['header', 'protocol'], ['cookie:sid']])
      expect(summary([{ ...forwards, token }])).toEqual([]);
    expect(summary([{ ...forwards, token: ['protocol'], forward_authorization: false }])).toEqual([]);
  });

  it('a subprotocol as place of the token, where no WebSocket can begin', () => {
    const looks = { ...rule, feature: 'x', token: ['header', 'protocol'] };
    expect(summary([{ ...looks, method: ['POST', 'PUT'] }])).toEqual(['no_effect /0/token/1']);
    for (const method of ['*', 'GET', ['GET', 'POST']]) expect(summary([{ ...looks, method }])).toEqual([]);
  });

  it('but neither the default action written out, nor an action that is asked for', () => {
    expect(
      summary([
        { ...rule, path: '/a', feature: 'public_access', action: 'viewer' },
        { ...rule, path: '/b', feature: 'authenticated', action: 'viewer' },
        { ...rule, path: '/c', claims, action: 'viewer' },
        { ...rule, path: '/d', feature: 'x', claims, action: 'admin' },
      ]),
    ).toEqual([]);
  });
});

it('preserve_host, which Workers cannot keep, is warned of there and nowhere else', () => {
  const text = JSON.stringify([{ path: '/a', method: 'GET', feature: 'x', preserve_host: true }]);
  const warned = (runtime?: 'node' | 'workers') => {
    const compilation = compileRules(text, { targets: TARGETS, ...(runtime && { runtime }) });
    return compilation.ok ? compilation.warnings.map(({ code, pointer }) => `${code} ${pointer}`) : undefined;
  };
  expect(warned('workers')).toEqual(['no_effect /0/preserve_host']);
  expect([warned('node'), warned()]).toEqual([[], []]);
});

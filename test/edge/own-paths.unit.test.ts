import { describe, expect, it } from 'vitest';
import { functionsOn } from '../../functions/catalogue.ts';
import { compileRules } from '../../functions/gateway/match/rules/compile.ts';
import { explain } from '../../functions/gateway/match/rules/explain.ts';
import { ownPaths } from '../../shared/edge/function.ts';

const OWN_PATHS = ownPaths(functionsOn({}));

const own = ownPaths([{ paths: ['/figures', '/figures/'] }, { paths: ['/api/v1/auth/'] }]);

describe('own paths', () => {
  it.each([
    ['/figures', true],
    ['/figures?days=30', true],
    ['/figures/', true],
    ['/figures/daily', true],
    ['/figures.csv', false],
    ['/api/v1/auth/login', true],
    ['/api/v1/auth/oauth/callback/zitadel?code=1', true],
    ['/api/v1/auth/', true],
    ['/api/v1/auth', false],
    ['/api/v1/authority', false],
    ['/api/v1?x=/api/v1/auth/login', false],
    ['/', false],
    ['*', false],
    ['', false],
  ])('%s as it was sent: %s', (target, is) => {
    expect(own.has(target)).toBe(is);
    const [path = ''] = target.split('?');
    if (path.startsWith('/')) expect(own.hasSegments(path.slice(1).split('/'))).toBe(is);
  });

  it('are those of every function that is on, and of no other', () => {
    for (const path of ['/health', '/forward-auth', '/webhooks/zitadel'])
      expect(OWN_PATHS.has(path)).toBe(true);
    for (const path of ['/figures', '/api/v1/auth/login', '/webhooks', '/health/'])
      expect(OWN_PATHS.has(path)).toBe(false);
  });

  it('none are of no function', () => {
    const none = ownPaths([]);
    expect([none.has('/'), none.has(''), none.hasSegments(['']), none.hasAllBelow([])]).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });
});

describe('a rule', () => {
  const reached = (path: string): boolean => {
    const text = JSON.stringify([{ path, method: 'GET', feature: 'public_access' }]);
    const compilation = compileRules(text, { targets: new Set(['upstream']), own });
    if (!compilation.ok) throw new Error(JSON.stringify(compilation.findings));
    return !compilation.warnings.some(({ code }) => code === 'unreachable');
  };

  it.each([
    ['/figures', false],
    ['/figures/:name', false],
    ['/figures/*rest', false],
    ['/api/v1/auth/*rest', false],
    ['/api/v1/auth/sessions/:id', false],
    ['/api/v1/auth', true],
    ['/api/v1/:service/*rest', true],
    ['/api/*rest', true],
    ['/*rest', true],
  ])('%s can be reached beside functions that own paths: %s', (path, is) => {
    expect(reached(path)).toBe(is);
  });

  it('never gets a path of a function, in whatever spelling', () => {
    const text = JSON.stringify([{ path: '/*rest', method: '*', feature: 'public_access' }]);
    const compilation = compileRules(text, { targets: new Set(['upstream']), own });
    if (!compilation.ok) throw new Error('unusable rules');
    const explained = (path: string) => explain(compilation.rules, own, 'GET', path);
    expect(explained('/api/v1/auth/login')).toEqual({ kind: 'own_route' });
    expect(explained('/api/v1/%61uth/login')).toMatchObject({ kind: 'refused', code: 'not_found' });
    expect(explained('/api/v1/auth')).toMatchObject({ kind: 'matched' });
  });
});

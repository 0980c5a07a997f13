import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { toJson, toLines } from '../../cli/rules/explain.ts';
import { knownTargets, readRules } from '../../cli/rules/source.ts';
import { functionsOn } from '../../functions/catalogue.ts';
import { ownPaths } from '../../shared/edge/function.ts';
import { compileRules } from '../../functions/gateway/match/rules/compile.ts';
import { explain } from '../../functions/gateway/match/rules/explain.ts';

const OWN_PATHS = ownPaths(functionsOn({}));

describe('the targets that rules may name', () => {
  it.each([
    [{ ZITADEL_ISSUER_URL: 'https://id.example.org' }, ['upstream', 'zitadel']],
    [{ ZITADEL_API_URL: 'https://id.example.org' }, ['upstream', 'zitadel']],
    [{ OPENFGA_URL: 'http://127.0.0.1:8080' }, ['openfga', 'upstream']],
    [{ TARGET_REPORTS_V2_URL: 'http://reports' }, ['reports_v2', 'upstream']],
    [{ TARGET_REPORTS_URL: 'not a url', OPENFGA_URL: 'http://x' }, ['openfga', 'upstream']],
  ])('follow from %j', (env, targets) => {
    const known = knownTargets(env);
    expect([...known.targets].toSorted()).toEqual(targets);
    expect(known.assumed).toBe(false);
  });

  it('are assumed, and said to be, when no variable names any', () => {
    expect(knownTargets({ UPSTREAM_URL: 'http://x', OPENFGA_URL: ' ' })).toEqual({
      targets: new Set(['upstream', 'zitadel', 'openfga']),
      assumed: true,
    });
  });
});

describe('the rules a command is about', () => {
  it('are the file named, before ACCESS_RULES', async () => {
    const read = await readRules('config/access_rules_prev.json', { ACCESS_RULES: '[{}]' });
    expect(read).toEqual({ name: 'config/access_rules_prev.json', text: '[]\n' });
  });

  it('are those in ACCESS_RULES, as JSON or as a path', async () => {
    expect(await readRules(undefined, { ACCESS_RULES: ' [] ' })).toEqual({
      name: 'ACCESS_RULES',
      text: '[]',
    });
    await expect(readRules(undefined, { ACCESS_RULES: 'nowhere.json' })).rejects.toThrow(
      /^cannot read nowhere\.json: there is no such file .*\(ENOENT\)$/,
    );
  });
});

describe('an explanation', () => {
  const compilation = compileRules(
    JSON.stringify([
      { path: '/documents/:id', method: 'GET', object: 'document:{id}', action: 'view', rate_limit: '5/1m' },
      { path: '/documents/*rest', method: '*', feature: 'x' },
      { path: '/tenants/:tenant', method: 'GET', tenant: '{tenant}' },
      { path: '/mine', method: 'GET', tenant: 'required' },
    ]),
    { targets: new Set(['upstream']) },
  );

  function explained(method: string, path: string) {
    if (!compilation.ok) throw new Error('rules do not compile');
    return explain(compilation.rules, OWN_PATHS, method, path);
  }

  function told(method: string, path: string): string {
    return stripVTControlCharacters(toLines(method, path, explained(method, path)).join('\n'));
  }

  it('says the winner, the question asked, the limit and the losers', () => {
    const text = told('GET', '/documents/7');
    expect(text).toContain('decided by rule /0 (GET /documents/:id)');
    expect(text).toContain('whether the caller is view of document:7');
    expect(text).toMatch(/5 in 60 s \(rule-[0-9a-f]{8}\)/);
    expect(text).toContain(
      'not by  rule /1 (* /documents/*rest): segment 2: :id is more specific than *rest',
    );
  });

  it.each([
    ['/documents/%2e%2e', '400 invalid_path'],
    ['/documents/a%20b', '400 invalid_path'],
    ['/documents', '403 no_rule'],
    ['/health', 'answered by the gateway itself'],
  ])('says what a caller of %s meets', (path, words) => {
    expect(told('GET', path)).toContain(words);
  });

  it('says the tenant that is demanded', () => {
    const text = told('GET', '/tenants/acme');
    expect(text).toContain('for a valid token of the tenant below');
    expect(text).toContain(
      'tenant  the caller has to be in "acme", by slug or uuid, exactly so (403 wrong_tenant)',
    );
    expect(told('GET', '/mine')).toContain('tenant  the caller has to be in one (403 no_tenant)');
    expect(toJson(explained('GET', '/tenants/acme'))).toMatchObject({
      rule: { tenant: { kind: 'param', name: 'tenant' } },
    });
  });

  it('tells machines the same', () => {
    expect(toJson(explained('GET', '/documents/7'))).toMatchObject({
      kind: 'matched',
      rule: { pointer: '/0' },
      object: 'document:7',
      lost: [{ pointer: '/1' }],
    });
    expect(toJson(explained('GET', '/'))).toMatchObject({ kind: 'unmatched', code: 'no_rule' });
  });
});

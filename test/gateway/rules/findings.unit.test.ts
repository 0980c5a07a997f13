import { describe, expect, it } from 'vitest';
import { findingsOf, summary } from './support.ts';

const sound = { path: '/a', method: 'GET', feature: 'x' };

describe('what is not RFC 8259 is refused at its place', () => {
  it.each([
    ['[\n  {"path": "/a",}\n]', 2, 17, 'trailing commas'],
    ['[\n  // note\n]', 2, 3, 'comments'],
    ['', 1, 1, 'ends too early'],
    ['[', 1, 2, 'ends too early'],
    ['[{"path":', 1, 10, 'ends too early'],
    ['[\n  {"path": "/a",\n\n', 2, 17, 'ends too early'],
    ['[{}', 1, 4, 'ends too early'],
    ['[{"path": "/a', 1, 14, 'ends too early'],
    ['["a\\', 1, 5, 'ends too early'],
    ['["a\\u00', 1, 8, 'ends too early'],
    ['[tru', 1, 5, 'ends too early'],
    ['[-', 1, 3, 'ends too early'],
    ['[1.', 1, 4, 'ends too early'],
    ['[nope', 1, 2, 'unexpected "n"'],
    ['[1 2', 1, 4, 'unexpected "2"'],
    ['[{"a":1}}', 1, 9, 'unexpected "}"'],
    ["['a']", 1, 2, 'unexpected "\'"'],
    ['[] []', 1, 4, 'unexpected "["'],
    ['[\n  {"path": "/a\tb"}]', 2, 15, 'raw tab (U+0009)'],
    ['[{"path":"/a\u0001"}]', 1, 13, 'U+0001'],
    ['[{"path": "/a,\n "method": "GET"}]', 1, 15, 'closing quote'],
    ['// "don\'t\n[]', 1, 1, 'comments'],
    ['[\u00a0]', 1, 2, 'unexpected U+00A0'],
    ['[\u200b]', 1, 2, 'unexpected U+200B'],
    ['[\u201ca\u201d]', 1, 2, 'unexpected U+201C (\u201c)'],
    ['[{},\u{1f600}]', 1, 5, 'unexpected U+1F600'],
    ['[\r\n {"path": "/caf\ufffd"}]', 2, 16, 'not UTF-8'],
    ['\ufffd\ufffd[\0', 1, 1, 'not UTF-8'],
  ])('%j', (source, line, column, words) => {
    const [finding, ...others] = findingsOf(source);
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ severity: 'error', code: 'invalid_json', line, column });
    expect(finding?.message).toContain(words);
  });

  it('a byte order mark is taken, and moves no place', () => {
    expect(summary(`\ufeff${JSON.stringify([sound])}`)).toEqual([]);
    expect(findingsOf('\ufeff[1]')).toMatchObject([{ code: 'invalid_value', line: 1, column: 2 }]);
  });

  it('bytes of ISO-8859-1 are refused, not read as a path that nobody can ask for', () => {
    const text = Buffer.from(JSON.stringify([{ ...sound, path: '/café' }]), 'latin1').toString('utf8');
    expect(findingsOf(text)).toMatchObject([{ code: 'invalid_json', line: 1, column: 15 }]);
    expect(findingsOf(text)[0]?.message).toContain('not UTF-8');
  });

  it('a field written twice is a fault, not the last one silently', () => {
    const source = '[{"path":"/a","method":"GET","feature":"x",\n "feature":"public_access"}]';
    expect(findingsOf(source)).toMatchObject([
      { code: 'duplicate_field', pointer: '/0/feature', line: 2, column: 2 },
    ]);
  });

  it('an object is no rules file, a string no rule', () => {
    expect(summary('{}')).toEqual(['not_a_list ']);
    expect(summary(['/a'])).toEqual(['invalid_value /0']);
  });
});

describe('faults of fields', () => {
  it.each<[object, string[]]>([
    [{ token: ['head', 'head'] }, ['/0/token/0', '/0/token/1']],
    [{ token: ['header', 'x', 7] }, ['/0/token/1', '/0/token/2']],
    [{ method: ['GET', 'get', 'put'] }, ['/0/method/1', '/0/method/2']],
    [{ method: [] }, ['/0/method']],
    [{ timeout_ms: 1e20 }, ['/0/timeout_ms']],
    [{ feature: undefined, object: [] }, ['/0/object']],
  ])('have one line each, at the very value, in words of our own: %j', (fields, pointers) => {
    const findings = findingsOf([{ ...sound, ...fields }]);
    expect(findings.map(({ pointer }) => pointer)).toEqual(pointers);
    for (const { message } of findings) expect(message).not.toMatch(/Invalid|Too |expected/);
  });

  it('are all told at once, also within one rule', () => {
    const rules = [
      { path: 'a', method: 'get', feature: 'a:b', target: 'nowhere', rate_limit: 'often', rate: 1 },
      { timeout_ms: 0.5, mode: 'off', forward_authorization: 'no', action: 'a b', 'a/b~c': 1 },
    ];
    expect(summary(rules).toSorted()).toEqual(
      [
        'unknown_field /0/rate',
        'invalid_value /0/method',
        'invalid_path /0/path',
        'invalid_feature /0/feature',
        'unknown_target /0/target',
        'invalid_value /0/rate_limit',
        'missing_field /1',
        'missing_field /1',
        'missing_access /1',
        'invalid_value /1/timeout_ms',
        'invalid_value /1/mode',
        'invalid_value /1/forward_authorization',
        'invalid_value /1/action',
        'unknown_field /1/a~1b~0c',
      ].toSorted(),
    );
  });

  it.each([
    [{ ...sound, method: [] }, 'invalid_value /0/method'],
    [{ ...sound, method: ['GET', '*'] }, 'invalid_value /0/method/1'],
    [{ ...sound, method: 'TRACE' }, 'invalid_value /0/method'],
    [{ ...sound, object: 'document:1' }, 'ambiguous_access /0/object'],
    [{ ...sound, feature: 'feature:public_access' }, 'invalid_feature /0/feature'],
    [{ ...sound, feature: '*' }, 'invalid_feature /0/feature'],
    [{ ...sound, feature: 'a b' }, 'invalid_feature /0/feature'],
    [{ path: '/a/:id', method: 'GET', object: 'document:{name}' }, 'unknown_parameter /0/object'],
    [{ path: '/a/:id', method: 'GET', object: '{id}:1' }, 'invalid_object /0/object'],
    [{ path: '/a/:id', method: 'GET', object: 'a:b:{id}' }, 'invalid_object /0/object'],
    [{ path: '/a/:id', method: 'GET', object: 'a:{id' }, 'invalid_object /0/object'],
    [{ path: '/a', method: 'GET', object: `a:${'é'.repeat(128)}` }, 'invalid_object /0/object'],
    [{ ...sound, path: '/api/:id', strip_prefix: '/api/:id' }, 'invalid_strip_prefix /0/strip_prefix'],
    [{ ...sound, path: '/api/x', strip_prefix: '/ap' }, 'invalid_strip_prefix /0/strip_prefix'],
    [{ ...sound, path: '/api/x', strip_prefix: '/api/' }, 'invalid_strip_prefix /0/strip_prefix'],
    [{ ...sound, path: '/api/x', strip_prefix: '/api/x/y' }, 'invalid_strip_prefix /0/strip_prefix'],
  ])('%j -> %s', (rule, expected) => {
    expect(summary([rule])).toEqual([expected]);
  });

  it.each([
    '/a//b',
    '/a/../b',
    '/a/%2e%2e',
    '/a%2Fb',
    '/a%5Cb',
    '/a;b',
    '/a%00',
    '/a%',
    '/a?b',
    '/a#b',
    '/a%25zz%2541',
  ])('the path %s, which no request can have, is refused', (path) => {
    expect(summary([{ ...sound, path }])).toEqual(['invalid_path /0/path']);
  });

  it.each(['/*rest/a', '/a/*', '/a/:', '/:a/:a', '/a*b', '/:a-b', '/{id}'])(
    'the pattern %s is refused',
    (path) => {
      expect(summary([{ ...sound, path }])).toEqual(['invalid_path /0/path']);
    },
  );
});

describe('rules against each other', () => {
  it('equal path shape and method are an error, whatever the parameters are called', () => {
    const rules = [
      { path: '/a/:id', method: ['GET', 'PUT'], feature: 'x' },
      { path: '/a/:name', method: ['PUT', 'DELETE'], feature: 'y' },
      { path: '/a/%3Aid', method: 'GET', feature: 'x' },
      { path: '/a/:id', method: '*', feature: 'x' },
    ];
    expect(findingsOf(rules)).toMatchObject([
      { code: 'duplicate_rule', pointer: '/1/path', severity: 'error' },
    ]);
  });

  it("a rule for one of the bundle's own routes is told to be unreachable", () => {
    expect(summary([{ ...sound, path: '/health' }])).toEqual(['unreachable /0/path']);
    expect(summary([{ ...sound, path: '/*rest' }])).toEqual([]);
  });
});

describe('exposure', () => {
  const open = { method: '*', feature: 'public_access' };
  it.each([
    [{ ...open, path: '/stores/*path', target: 'openfga' }, ['openfga_exposed']],
    [{ ...open, path: '/stores/*path', target: 'openfga', feature: 'authenticated' }, ['openfga_exposed']],
    [
      { ...open, path: '/stores/*path', target: 'openfga', feature: 'x', mode: 'shadow' },
      ['openfga_exposed'],
    ],
    [{ ...open, path: '/stores/*path', target: 'openfga', feature: 'x' }, []],
    [{ ...open, path: '/management/v1/*path', target: 'zitadel' }, ['management_exposed']],
    [{ ...open, path: '/v2/users', target: 'zitadel' }, ['management_exposed']],
    [{ ...open, path: '/zitadel.user.v2.UserService/:call', target: 'zitadel' }, ['management_exposed']],
    [{ ...open, path: '/:any/v1/*path', target: 'zitadel' }, ['management_exposed']],
    [{ ...open, path: '/*path', target: 'zitadel' }, ['management_exposed']],
    [{ ...open, path: '/idp/admin/*path', target: 'zitadel', strip_prefix: '/idp' }, ['management_exposed']],
    [{ ...open, path: '/idp/*path', target: 'zitadel' }, []],
    [{ ...open, path: '/oauth/v2/*path', target: 'zitadel' }, []],
    [{ ...open, path: '/management/*path' }, []],
  ])('%j -> %j', (rule, codes) => {
    expect(findingsOf([rule]).map((finding) => finding.code)).toEqual(codes);
    expect(findingsOf([rule]).every((finding) => finding.severity === 'warning')).toBe(true);
  });

  it('names what a rule opens', () => {
    const [finding] = findingsOf([{ ...open, path: '/admin/*path', target: 'zitadel' }]);
    expect(finding?.message).toContain('/admin/: the whole instance');
    expect(finding?.message).not.toContain('/management/');
  });
});

describe('places of a token', () => {
  const path = { path: '/a', method: 'GET', feature: 'authenticated' };

  it.each<[unknown, string]>([
    [[], 'invalid_value /0/token'],
    ['header', 'invalid_value /0/token'],
    [['head'], 'invalid_value /0/token/0'],
    [['cookie:'], 'invalid_value /0/token/0'],
    [['cookie:a b'], 'invalid_value /0/token/0'],
    [['query:a=b'], 'invalid_value /0/token/0'],
    [['header', 'header'], 'invalid_value /0/token'],
    [null, 'invalid_value /0/token'],
  ])('%j are refused', (token, finding) => {
    expect(summary([{ ...path, token }])).toEqual([finding]);
  });

  it('in a URL are warned of', () => {
    expect(summary([{ ...path, token: ['header', 'query:access_token'] }])).toEqual([
      'token_in_query /0/token/1',
    ]);
  });

  it('have no effect where anyone may pass', () => {
    expect(summary([{ ...path, feature: 'public_access', token: ['cookie:sid'] }])).toEqual([
      'no_effect /0/token',
    ]);
  });

  it('of the header alone are those of a rule that names none', () => {
    expect(summary([{ ...path, token: ['header'] }])).toEqual([]);
  });
});

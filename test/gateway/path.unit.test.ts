import { describe, expect, it } from 'vitest';
import { judgePath, stripPrefix } from '../../functions/gateway/read/path.ts';
import { Refusal } from '../../shared/errors.ts';

const refused = (target: string) => {
  try {
    judgePath(target);
  } catch (error) {
    return error instanceof Refusal ? error.code : error;
  }
  return 'judged';
};

describe('a path that servers could read in two ways is refused', () => {
  it.each([
    ['dot segments', '/public/../admin'],
    ['one dot', '/public/./admin'],
    ['trailing dots', '/public/..'],
    ['encoded dots', '/public/%2e%2e/admin'],
    ['mixed-case encoded dots', '/public/%2E%2e%2fadmin'],
    ['half-encoded dots', '/public/.%2e/admin'],
    ['encoded slash', '/public/..%2fadmin'],
    ['encoded slash, upper case', '/public/..%2Fadmin'],
    ['lone encoded slash', '/a%2Fb'],
    ['backslash', '/public\\admin'],
    ['encoded backslash', '/public/%5cadmin'],
    ['NUL', '/public/%00'],
    ['encoded line feed', '/a%0ab'],
    ['a control character beyond ASCII', '/a%C2%85b'],
    ['semicolon', '/admin;x=1'],
    ['semicolon dots', '/public/..;/admin'],
    ['encoded semicolon', '/a%3bb'],
    ['encoded question mark', '/a%3Fb'],
    ['encoded hash', '/a%23b'],
    ['fragment', '/a#b'],
    ['fragment in the query', '/a?b#c'],
    ['doubled slash', '//admin/x'],
    ['doubled slash inside', '/a//b'],
    ['two trailing slashes', '/a//'],
    ['double encoding', '/public/%252e%252e/admin'],
    ['double-encoded slash', '/a%252fb'],
    ['overlong UTF-8 slash', '/a%c0%afb'],
    ['broken UTF-8', '/a%ff'],
    ['malformed triplet', '/a%zz'],
    ['cut triplet', '/a%2'],
    ['raw non-ASCII', '/caf\u00e9'],
    ['space', '/a b'],
    ['control in the query', '/a?b=\u0001'],
    ['asterisk-form', '*'],
    ['authority-form', 'evil.example:443'],
    ['another scheme', 'ftp://evil.example/x'],
  ])('%s', (_name, target) => {
    expect(refused(target)).toBe('invalid_path');
  });
});

describe('a path that means one thing is judged in one form', () => {
  it.each([
    ['/', '/', ['']],
    ['/a/b', '/a/b', ['a', 'b']],
    ['/a/', '/a/', ['a', '']],
    ['/%61dmin/x', '/admin/x', ['admin', 'x']],
    ['/a%20b', '/a%20b', ['a b']],
    ['/caf%c3%a9', '/caf%C3%A9', ['café']],
    ['/100%25', '/100%25', ['100%']],
    ['/.well-known/x', '/.well-known/x', ['.well-known', 'x']],
    ['/a%24b', '/a%24b', ['a$b']],
    ['http://evil.example/a', '/a', ['a']],
    ['http://evil.example', '/', ['']],
    ['http://evil.example?x=1', '/', ['']],
  ])('%s', (target, path, segments) => {
    const judged = judgePath(target);
    expect(judged.path).toBe(path);
    expect(judged.segments).toEqual(segments);
  });

  it('keeps the query byte for byte', () => {
    expect(judgePath('/a?x=%2e%2e/%2F;&y=//').query).toBe('?x=%2e%2e/%2F;&y=//');
  });
});

describe('strip_prefix', () => {
  it('leaves the rest, and a lone prefix becomes the root', () => {
    expect(stripPrefix(judgePath('/api/v1/x?q'), '/api').path).toBe('/v1/x');
    expect(stripPrefix(judgePath('/api/v1/x?q'), '/api').query).toBe('?q');
    expect(stripPrefix(judgePath('/api'), '/api').path).toBe('/');
  });

  it('never cuts inside a segment', () => {
    expect(() => stripPrefix(judgePath('/apix'), '/api')).toThrow(Refusal);
  });
});

import { describe, expect, it } from 'vitest';
import { judgePath } from '../../../functions/gateway/read/path.ts';
import type { CompiledRules } from '../../../functions/gateway/match/types.ts';
import { compiled, open } from './support.ts';

function winner(rules: CompiledRules, request: string): string | undefined {
  const [method = '', path = ''] = request.split(' ');
  const rule = rules.match(method, judgePath(path).segments)?.rule;
  return rule && `${[rule.methods].flat().join(',')} ${rule.path}`;
}

describe('the most specific rule wins, whatever the order', () => {
  const lines = [
    'GET /*rest',
    '* /documents/*rest',
    'GET /documents/:id',
    '* /documents/:id',
    'GET /documents/new',
    'GET /:any/new/:tail',
    'GET /documents/:id/history',
  ];
  it.each([
    ['GET /documents/new', 'GET /documents/new'],
    ['GET /documents/7', 'GET /documents/:id'],
    ['PUT /documents/7', '* /documents/:id'],
    ['PUT /documents/new', '* /documents/:id'],
    ['PUT /documents/7/history', '* /documents/*rest'],
    ['GET /documents/new/history', 'GET /documents/:id/history'],
    ['GET /documents/new/other', '* /documents/*rest'],
    ['GET /people/new/other', 'GET /:any/new/:tail'],
    ['GET /people', 'GET /*rest'],
    ['PUT /people', undefined],
    ['get /documents/7', '* /documents/:id'],
  ])('%s -> %s', (request, expected) => {
    expect(winner(open(...lines), request)).toBe(expected);
    expect(winner(open(...lines.toReversed()), request)).toBe(expected);
  });
});

describe('slashes and empty segments', () => {
  const rules = open('GET /', 'GET /a', 'GET /b/', 'GET /c/:id', 'GET /c/:id/', 'GET /d/*rest');
  it.each([
    ['GET /', 'GET /'],
    ['GET /a', 'GET /a'],
    ['GET /a/', undefined],
    ['GET /b', undefined],
    ['GET /b/', 'GET /b/'],
    ['GET /c/', undefined],
    ['GET /c/1', 'GET /c/:id'],
    ['GET /c/1/', 'GET /c/:id/'],
    ['GET /d', undefined],
    ['GET /d/', 'GET /d/*rest'],
    ['GET /d/x/', 'GET /d/*rest'],
  ])('%s -> %s', (request, expected) => {
    expect(winner(rules, request)).toBe(expected);
  });

  it('a rest takes the slash it begins with, alone too, and never the path before that slash', () => {
    expect(winner(open('GET /*rest'), 'GET /a/')).toBe('GET /*rest');
    expect(winner(open('GET /*rest'), 'GET /')).toBe('GET /*rest');
    expect(winner(open('GET /a/*rest'), 'GET /a')).toBeUndefined();
    expect({ ...open('GET /a/*rest').match('GET', ['a', ''])?.params }).toEqual({ rest: '' });
  });

  it('/admin/ belongs to the rule for /admin/*rest, whatever is public around it', () => {
    const guarded = open('GET /*rest', '* /admin/*rest', 'GET /admin');
    expect(winner(guarded, 'GET /admin/')).toBe('* /admin/*rest');
    expect(winner(open('GET /*rest', '* /admin/*rest', 'GET /admin/'), 'GET /admin/')).toBe('GET /admin/');
    expect(winner(open('GET /*rest', '* /:a/:b', '* /:a/*rest'), 'GET /admin/')).toBe('* /:a/*rest');
  });
});

describe('methods are taken literally', () => {
  it('a rule for GET says nothing about HEAD', () => {
    expect(winner(open('GET /a'), 'HEAD /a')).toBeUndefined();
    expect(winner(open('* /a'), 'HEAD /a')).toBe('* /a');
  });
});

describe('parameters', () => {
  it('carry decoded values, the rest with its slashes', () => {
    const rules = open('GET /:team/files/*path');
    const match = rules.match('GET', judgePath('/caf%C3%A9/files/a%20b/c/').segments);
    expect({ ...match?.params }).toEqual({ team: 'café', path: 'a b/c/' });
  });

  it('belong to the rule that won, also where another rule names the same place otherwise', () => {
    const rules = open('GET /a/:id', 'PUT /a/:name');
    expect({ ...rules.match('PUT', ['a', '1'])?.params }).toEqual({ name: '1' });
  });

  it('may be called __proto__, and so may segments', () => {
    const rules = open('GET /p/:__proto__', 'GET /__proto__/constructor');
    const params = rules.match('GET', ['p', 'x'])?.params;
    expect(Object.entries(params ?? {})).toEqual([['__proto__', 'x']]);
    expect(winner(rules, 'GET /__proto__/constructor')).toBe('GET /__proto__/constructor');
    expect(winner(rules, 'GET /constructor')).toBeUndefined();
    expect(rules.match('constructor', ['p', 'x'])).toBeUndefined();
  });

  it('cost no allocation where there are none', () => {
    const rules = open('GET /a');
    expect(rules.match('GET', ['a'])).toBe(rules.match('GET', ['a']));
  });
});

describe('literals', () => {
  it('are the same written decoded or percent-encoded', () => {
    for (const path of ['/straße/a b', '/stra%C3%9Fe/a%20b', '/stra%c3%9fe/%61%20b']) {
      const rules = compiled([{ path, method: 'GET', feature: 'public_access' }]);
      expect(winner(rules, 'GET /stra%C3%9Fe/a%20b')).toBe(`GET ${path}`);
    }
  });

  it('begin with a colon or hold an asterisk when these are encoded', () => {
    const rules = open('GET /%3Aid/a%2A');
    expect(winner(rules, 'GET /:id/a*')).toBe('GET /%3Aid/a%2A');
    expect(winner(rules, 'GET /7/a*')).toBeUndefined();
  });
});

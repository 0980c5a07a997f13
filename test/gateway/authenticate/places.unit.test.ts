import { describe, expect, it } from 'vitest';
import {
  presentedToken,
  withoutTokenParameters,
  withoutTokens,
  type Presented,
} from '../../../functions/gateway/authenticate/places.ts';
import { placesOf, type TokenPlace } from '../../../functions/gateway/match/rules/claims.ts';
import { refusal, requestWith } from './gate.ts';

const places = (...written: string[]): readonly TokenPlace[] => placesOf(written) ?? [{ kind: 'header' }];
const everywhere = places('header', 'cookie:sid', 'protocol', 'query:access_token');
const listed = new Set(['https://app.example.org']);

const find = (request: Presented, where = everywhere): string => presentedToken(where, request, listed);
const codeOf = async (request: Presented, where = everywhere): Promise<string> =>
  (await refusal(() => find(request, where))).code;

describe('a token is found', () => {
  it.each<[string, Presented]>([
    ['in the header', requestWith({ authorization: 'Bearer abc' })],
    ['in a cookie among others', requestWith({ cookie: 'a=1; sid=abc; b=2' })],
    ['in a cookie with quotes', requestWith({ cookie: 'sid="abc"' })],
    ['in a cookie of a second line', requestWith({ cookie: 'a=1;sid=abc' })],
    ['in a cookie of a second line, as Workers join them', requestWith({ cookie: 'a=1, sid=abc, b=2' })],
    ['in a subprotocol among others', requestWith({ protocols: 'chat, bearer.abc' })],
    ['in the query', requestWith({}, { target: '/a?x=1&access_token=abc' })],
    ['in the query, spelled in another way', requestWith({}, { target: '/a?access%5Ftoken=%61bc' })],
    ['twice, and the same', requestWith({ authorization: 'Bearer abc', cookie: 'sid=abc' })],
    ['beside an empty cookie', requestWith({ authorization: 'Bearer abc', cookie: 'sid=' })],
  ])('%s', (_where, request) => {
    expect(find(request)).toBe('abc');
  });

  it.each<[string, Presented, string[]]>([
    ['a cookie of another name', requestWith({ cookie: 'SID=abc; xsid=abc' }), ['cookie:sid']],
    [
      'a part of another cookie’s value that a sibling host wrote',
      requestWith({ cookie: 'a=1,__Host-sid=abc' }),
      ['cookie:__Host-sid'],
    ],
    ['a header where only a cookie counts', requestWith({ authorization: 'Bearer abc' }), ['cookie:sid']],
    ['a cookie where only the header counts', requestWith({ cookie: 'sid=abc' }), ['header']],
    ['a parameter of the path', requestWith({}, { target: '/access_token=abc' }), ['query:access_token']],
    ['a parameter without a value', requestWith({}, { target: '/?access_token' }), ['query:access_token']],
    ['an empty subprotocol', requestWith({ protocols: 'bearer.' }), ['protocol']],
  ])('not in %s', async (_where, request, where) => {
    expect(await codeOf(request, places(...where))).toBe('missing_token');
  });

  it.each<[string, Presented]>([
    ['header and cookie', requestWith({ authorization: 'Bearer abc', cookie: 'sid=def' })],
    ['two cookies', requestWith({ cookie: 'sid=abc; sid=def' })],
    ['two lines of cookies', requestWith({ cookie: 'sid=abc, sid=def' })],
    ['two subprotocols', requestWith({ protocols: 'bearer.abc, bearer.def' })],
    ['two parameters', requestWith({}, { target: '/?access_token=abc&access%5ftoken=def' })],
  ])('never when %s hold different ones: the upstream could believe the other', async (_where, request) => {
    expect(await codeOf(request)).toBe('invalid_request');
  });

  it('only up to its length', async () => {
    expect(await codeOf(requestWith({ cookie: `sid=${'a'.repeat(8193)}` }))).toBe('invalid_token');
  });
});

describe('a token in a cookie counts', () => {
  const cookie = 'sid=abc';
  const post = { method: 'POST' };
  const https = { scheme: 'https' };
  it.each<[string, Presented]>([
    ["from the API's own page", requestWith({ cookie, origin: 'https://api.example.org' }, post)],
    [
      'from it with its port',
      requestWith({ cookie, origin: 'https://api.example.org' }, { ...post, host: 'API.example.org:443' }),
    ],
    [
      'from a listed origin',
      requestWith({ cookie, origin: 'https://app.example.org', fetchSite: 'same-site' }, post),
    ],
    ['of a same-origin request', requestWith({ cookie, fetchSite: 'same-origin' }, post)],
    ['of an address typed in', requestWith({ cookie, fetchSite: 'none' })],
    ['of a GET without Origin, as EventSource of the own origin sends it', requestWith({ cookie })],
    [
      'of a WebSocket of the own origin',
      requestWith({ cookie, origin: 'https://api.example.org', upgrade: 'websocket' }),
    ],
    [
      'beside the same token in the header',
      requestWith({ cookie, authorization: 'Bearer abc', origin: 'https://evil.test' }, post),
    ],
  ])('%s', (_how, request) => {
    expect(find(request)).toBe('abc');
  });

  it.each<[string, Presented]>([
    ['from another origin', requestWith({ cookie, origin: 'https://evil.test' })],
    ['from a page without origin', requestWith({ cookie, origin: 'null' })],
    [
      'from an origin that begins alike',
      requestWith({ cookie, origin: 'https://api.example.org.evil.test' }),
    ],
    ['from an origin on another port', requestWith({ cookie, origin: 'https://api.example.org:8443' })],
    ['from the own host without TLS', requestWith({ cookie, origin: 'http://api.example.org' }, https)],
    ['of a link on another site', requestWith({ cookie, fetchSite: 'cross-site' })],
    ['of a sibling domain', requestWith({ cookie, fetchSite: 'same-site' })],
    ['of a POST that names no origin', requestWith({ cookie }, post)],
    ['of a WebSocket that names no origin', requestWith({ cookie, upgrade: 'websocket' })],
    [
      'of such a one in spite of fetch metadata',
      requestWith({ cookie, upgrade: 'websocket', fetchSite: 'same-origin' }),
    ],
    ['of an empty Origin where there is no Host', requestWith({ cookie, origin: '' }, { host: '' })],
  ])('not %s', async (_how, request) => {
    expect(await codeOf(request)).toBe('forbidden');
  });
});

describe('what the target gets', () => {
  const headers = ['Cookie', 'a=1; sid=abc; b=2', 'Sec-WebSocket-Protocol', 'bearer.abc, chat', 'X', 'y'];

  it('no subprotocol with a token, and the cookie only where it may see credentials', () => {
    expect(withoutTokens(headers, everywhere, true)).toEqual([
      'Cookie',
      'a=1; sid=abc; b=2',
      'Sec-WebSocket-Protocol',
      'chat',
      'X',
      'y',
    ]);
    expect(withoutTokens(headers, everywhere, false)).toEqual([
      'Cookie',
      'a=1; b=2',
      'Sec-WebSocket-Protocol',
      'chat',
      'X',
      'y',
    ]);
  });

  it('no field of which nothing is left, and every field that was empty', () => {
    const alone = ['Cookie', 'sid=abc', 'Sec-WebSocket-Protocol', 'bearer.abc', 'X', ''];
    expect(withoutTokens(alone, everywhere, false)).toEqual(['X', '']);
  });

  it('the other cookies as they were joined', () => {
    const joined = ['Cookie', 'a=1, sid=abc, b=2; c=3,4'];
    expect(withoutTokens(joined, everywhere, false)).toEqual(['Cookie', 'a=1, b=2; c=3,4']);
  });

  it('what a rule does not look at stays as it is', () => {
    expect(withoutTokens(headers, places('header'), false)).toEqual(headers);
    expect(withoutTokenParameters('?access_token=abc', places('cookie:sid'))).toBe('?access_token=abc');
  });

  it.each([
    ['?access_token=abc', ''],
    ['?a=1&access_token=abc&b=%20', '?a=1&b=%20'],
    ['?access%5ftoken=abc&access_token=abc&c', '?c'],
    ['?a=1&&b', '?a=1&&b'],
    ['', ''],
  ])('the query %s without its token: %s', (query, left) => {
    expect(withoutTokenParameters(query, everywhere)).toBe(left);
  });
});

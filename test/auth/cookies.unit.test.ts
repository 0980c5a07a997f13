import { describe, expect, it } from 'vitest';
import {
  cookieNames,
  endedCookies,
  isOwnSite,
  readCookie,
  sessionCookies,
} from '../../shared/sessions/cookies.ts';

describe('cookies of a session', () => {
  it('are bound to this very host where it is https', () => {
    const set = sessionCookies({ access: 'a', refresh: 'r' }, { secure: true, refreshSeconds: 60 });
    expect(set).toEqual([
      '__Host-sallyport=a; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure',
      '__Host-sallyport_refresh=r; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure',
    ]);
  });

  it('have neither prefix nor Secure on loopback', () => {
    expect(cookieNames({ secure: false })).toEqual({ access: 'sallyport', refresh: 'sallyport_refresh' });
    for (const each of endedCookies({ secure: false }))
      expect(each).toMatch(/=; Path=\/; Max-Age=0; HttpOnly; SameSite=Lax$/);
  });

  it.each([
    ['a=1; b=2', '1'],
    ['b=2;a=1', '1'],
    // A value that a sibling host wrote: no cookie begins within it.
    ['b=2, a=1', undefined],
    ['b=2,a=1; a=3', '3'],
    ['a=1=2', '1=2'],
    ['a=', undefined],
    ['a=1; a=2', undefined],
    ['xa=1', undefined],
    ['', undefined],
    [null, undefined],
  ])('are read from %j', (field, value) => {
    expect(readCookie(field, 'a')).toBe(value);
  });
});

describe('a request with a cookie', () => {
  const own = { publicUrl: 'https://app.example.org', allowedOrigins: ['https://other.example.org'] };
  it.each([
    ['GET', null, null, true],
    ['HEAD', 'cross-site', null, true],
    ['POST', 'same-origin', null, true],
    ['POST', null, 'https://app.example.org', true],
    ['POST', 'cross-site', 'https://other.example.org', true],
    ['POST', null, null, false],
    ['POST', 'none', null, false],
    ['POST', 'same-site', null, false],
    ['POST', 'cross-site', 'null', false],
    ['DELETE', 'same-site', 'https://evil.example.org', false],
    ['POST', null, 'https://app.example.org.evil.example', false],
  ])('%s, Sec-Fetch-Site %s, Origin %s: %s', (method, site, origin, is) => {
    expect(isOwnSite({ method, site, origin }, own)).toBe(is);
  });
});

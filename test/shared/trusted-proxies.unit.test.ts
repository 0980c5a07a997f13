import { describe, expect, it } from 'vitest';
import { trustedProxies } from '../../shared/trusted-proxies.ts';

const proxies = trustedProxies(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32']);

describe('who is a trusted proxy', () => {
  it.each([
    ['10.1.2.3', true],
    ['11.0.0.1', false],
    ['192.0.2.7', true],
    ['192.0.2.8', false],
    ['::ffff:10.1.2.3', true],
    ['2001:db8::1', true],
    ['2001:db9::1', false],
    ['', false],
    ['unknown', false],
    ['10.1.2.3, 10.1.2.4', false],
  ])('%j: %s', (address, trusted) => {
    expect(proxies.trusts(address)).toBe(trusted);
  });

  it('nobody, unless configured', () => {
    expect(trustedProxies([]).trusts('127.0.0.1')).toBe(false);
  });

  it('the same after many other addresses were asked about', () => {
    for (let n = 0; n < 3_000; n++) proxies.trusts(`203.0.${n >> 8}.${n & 255}`);
    expect([proxies.trusts('10.1.2.3'), proxies.trusts('203.0.113.1')]).toEqual([true, false]);
  });
});

describe('whose request it is', () => {
  it.each([
    ['the nearest stranger', '10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['not what the stranger says of others', '10.0.0.1', '198.51.100.1, 203.0.113.9', '203.0.113.9'],
    ['through several proxies', '10.0.0.1', '203.0.113.9, 10.0.0.3, 10.0.0.2', '203.0.113.9'],
    ['an untrusted peer itself', '203.0.113.9', '198.51.100.1', '203.0.113.9'],
    ['the last proxy before an address that is none', '10.0.0.1', 'evil, 10.0.0.2', '10.0.0.2'],
    ['the peer when the field is empty', '10.0.0.1', '', '10.0.0.1'],
    ['an IPv4 address in IPv6 form, as IPv4', '10.0.0.1', '::ffff:203.0.113.9', '203.0.113.9'],
    ['the outermost proxy when all are trusted', '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
  ])('%s', (_name, peer, forwardedFor, client) => {
    expect(proxies.client(peer, forwardedFor)).toBe(client);
  });
});

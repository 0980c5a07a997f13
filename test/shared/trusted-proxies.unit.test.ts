import { describe, expect, it } from 'vitest';
import { nearest, trustedProxies } from '../../shared/edge/trusted-proxies.ts';

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
    ['an IPv4 address without its port', '10.0.0.1', '203.0.113.9:51234', '203.0.113.9'],
    ['an IPv6 address without brackets and port', '10.0.0.1', '[2001:db9::1]:443', '2001:db9::1'],
    ['an IPv6 address without brackets', '10.0.0.1', '[2001:db9::1]', '2001:db9::1'],
    [
      'through proxies with ports',
      '10.0.0.1',
      '203.0.113.9:1, 10.0.0.3:80 ,[2001:db8::5]:443',
      '203.0.113.9',
    ],
    ['an IPv6 address in one spelling', '10.0.0.1', '2001:0DB9:0:0::0001', '2001:db9::1'],
    [
      'an IPv4 address in IPv6 form, in brackets with a port',
      '10.0.0.1',
      '[::ffff:203.0.113.9]:1',
      '203.0.113.9',
    ],
    ['the same in hexadecimal', '10.0.0.1', '::ffff:cb00:7109', '203.0.113.9'],
    ['an address without its zone', '10.0.0.1', 'fe80::1%eth0', 'fe80::1'],
    ['past empty elements and a comma at the end', '10.0.0.1', '203.0.113.9,, 10.0.0.2 , ,', '203.0.113.9'],
    ['the proxy that does not know', '10.0.0.1', '198.51.100.1, unknown, 10.0.0.2', '10.0.0.2'],
    ['the proxy that will not say', '10.0.0.1', '198.51.100.1, _hidden, 10.0.0.2', '10.0.0.2'],
    ['nothing beyond garbage', '10.0.0.1', '198.51.100.1, 10.0.0.300, 10.0.0.2', '10.0.0.2'],
    ['no short form', '10.0.0.1', '203.7', '10.0.0.1'],
    ['no octal form', '10.0.0.1', '0313.0.113.9', '10.0.0.1'],
    ['no number', '10.0.0.1', '3405803785', '10.0.0.1'],
    ['no port alone', '10.0.0.1', ':443', '10.0.0.1'],
    ['no open bracket', '10.0.0.1', '[2001:db9::1', '10.0.0.1'],
    ['no host name', '10.0.0.1', 'client.example:80', '10.0.0.1'],
    ['an untrusted peer in IPv6 form, as IPv4', '::ffff:203.0.113.9', '198.51.100.1', '203.0.113.9'],
    ['a trusted peer in IPv6 form', '::ffff:10.0.0.1', '203.0.113.9', '203.0.113.9'],
  ])('%s', (_name, peer, forwardedFor, client) => {
    expect(proxies.client(peer, forwardedFor)).toBe(client);
  });
});

describe('TRUSTED_PROXIES', () => {
  it('takes IPv4 ranges and addresses in IPv6 form for what they are', () => {
    const mapped = trustedProxies(['::ffff:10.0.0.0/104', '::ffff:192.0.2.7']);
    const verdicts = ['10.9.9.9', '::ffff:10.9.9.9', '192.0.2.7', '192.0.2.8', '11.0.0.1', '::1'].map(
      (address) => mapped.trusts(address),
    );
    expect(verdicts).toEqual([true, true, true, false, false, false]);
  });
});

describe('what a proxy says of scheme and host', () => {
  const scheme = /^https?$/;
  it.each([
    ['https', 'https'],
    ['http, https', 'https'],
    ['https,', undefined],
    ['gopher', undefined],
    [undefined, undefined],
  ])('%j: %j', (field, said) => {
    expect(nearest(field, scheme)).toBe(said);
  });
});

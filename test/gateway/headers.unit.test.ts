import { describe, expect, it } from 'vitest';
import { readHeaders } from '../../functions/gateway/read/headers.ts';

const onward = (...list: string[]): string[] => readHeaders(list).onward;

function refused(...list: string[]): string {
  return readHeaders(list).fault?.code ?? 'read';
}

describe('what passes on', () => {
  it('keeps case, order and repetitions', () => {
    const list = ['Accept', 'a', 'X-Own', '1', 'cookie', 'c=1', 'X-OWN', '2'];
    expect(onward(...list)).toEqual(list);
  });

  it.each([
    'X-User-ID',
    'x-USER-id',
    'X_User_Id',
    'x.user.id',
    'X-User',
    'X-Gateway-Assertion',
    'X_Gateway.Key',
  ])('not %s', (name) => {
    expect(onward(name, 'admin')).toEqual([]);
  });

  it.each([
    'Content_Length',
    'Transfer.Encoding',
    'X_Request_ID',
    'X_Real_IP',
    'X_Original_URL',
    'Proxy_Authorization',
  ])('not %s, which a CGI-style server reads like the field it imitates', (name) => {
    expect(onward(name, '5')).toEqual([]);
  });

  it.each(['X-Username', 'X-Users', 'X-Gatewayed', 'User-Agent', 'X-Api_Key', 'X-Forwardedness'])(
    '%s is nobody else’s, and passes',
    (name) => {
      expect(onward(name, 'v')).toEqual([name, 'v']);
    },
  );

  it('Authorization is set aside for the rule to decide about', () => {
    const read = readHeaders(['Authorization', 'Bearer a']);
    expect([read.authorization, read.onward]).toEqual(['Bearer a', []]);
  });
});

describe('Connection', () => {
  it('takes away the fields it names, in whatever case', () => {
    expect(onward('Connection', 'x-once, Close', 'X-Once', '1', 'X-Kept', '2')).toEqual(['X-Kept', '2']);
  });

  it('said twice takes away both', () => {
    expect(onward('Connection', 'x-a', 'X-A', '1', 'Connection', 'x-b', 'X-B', '2')).toEqual([]);
  });

  it('cannot take the framing away', () => {
    expect(onward('Connection', 'content-length', 'Content-Length', '5')).toEqual(['Content-Length', '5']);
  });
});

describe('what servers read in two ways is refused', () => {
  it.each([
    ['two Authorization', ['Authorization', 'a', 'authorization', 'b']],
    ['two Host', ['Host', 'a', 'host', 'b']],
    ['a Host with a space', ['Host', 'a b']],
    ['a Host that cannot be decoded', ['Host', 'a%zz']],
    ['a Host whose port is none', ['Host', 'a:99999']],
    ['a Host with an open bracket', ['Host', '[::1']],
    ['two Content-Length', ['Content-Length', '5', 'Content-Length', '5']],
    ['both framings', ['Content-Length', '5', 'Transfer-Encoding', 'chunked']],
    ['both framings, turned around', ['Transfer-Encoding', 'chunked', 'Content-Length', '5']],
    ['two Transfer-Encoding', ['Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked']],
    ['another coding', ['Transfer-Encoding', 'gzip, chunked']],
    ['a signed length', ['Content-Length', '+5']],
    ['a negative length', ['Content-Length', '-5']],
    ['a list of lengths', ['Content-Length', '5, 5']],
    ['a length beyond any number', ['Content-Length', '9'.repeat(16)]],
    ['an empty length', ['Content-Length', '']],
  ])('%s', (_name, list) => {
    expect(refused(...list)).toBe('invalid_request');
  });
});

it('several X-Forwarded-For lines are one list, in order', () => {
  const read = readHeaders(['X-Forwarded-For', '203.0.113.9', 'x-forwarded-for', '10.0.0.1']);
  expect(read.forwardedFor).toBe('203.0.113.9,10.0.0.1');
});

describe.each(['Origin', 'Sec-Fetch-Site'])('%s', (name) => {
  it('that comes twice is refused: the upstream would believe the other one', () => {
    expect(refused(name, 'none', name, 'none')).toBe('invalid_request');
  });

  it('is refused where a runtime joined two lines', () => {
    expect(refused(name, 'https://evil.test, https://app.example.org')).toBe('invalid_request');
  });

  it('that comes once is read', () => {
    expect(refused(name, 'none')).toBe('read');
  });
});

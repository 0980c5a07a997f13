import { describe, expect, it } from 'vitest';
import { loggedPath, requestLog, type LoggingConfig } from '../../shared/edge/request-log.ts';
import { Refusal } from '../../shared/errors.ts';
import type { LogFields } from '../../shared/ports/log.ts';

const JWT = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLW9mLWFsaWNl';
const PAT = `${JWT}.AbCdEfGh1234.ZyXwVu9876`;
const OPAQUE = 'Zx9-aB3kLmN0pQrStUvWxYz12';

function log(config: Partial<LoggingConfig>, drawn = '00000000') {
  const lines: [string, LogFields | undefined][] = [];
  const write = (message: string, fields?: LogFields) => void lines.push([message, fields]);
  const port = { debug: write, info: write, warn: write, error: write };
  const random = { hex: () => drawn };
  return { lines, requests: requestLog({ passing: 1, paths: true, ...config }, { log: port, random }) };
}

describe('which requests get a line', () => {
  const codes = ['ok', 'preflight', 'no_rule', 'client_gone', 'shadow_forbidden', 'internal_error'];
  const refused = ['no_rule', 'client_gone', 'shadow_forbidden', 'internal_error'];
  it.each([
    ['all', 1, '00000000', codes],
    ['refused', 0, '00000000', refused],
    ['a share, drawn below it', 0.25, '3fffffff', codes],
    ['a share, drawn at it', 0.25, '40000000', refused],
  ])('%s', (_name, passing, drawn, lines) => {
    const { requests } = log({ passing }, drawn);
    expect(codes.filter((code) => requests.wants(code))).toEqual(lines);
  });
});

describe('the path of a refusal', () => {
  it.each([
    ['as it came', '/a/..%2fb//c', '/a/..%2fb//c'],
    ['without its query', '/a?access_token=s3cret', '/a'],
    ['without an encoded query', '/a%3faccess_token=s3cret', '/a'],
    ['without a fragment', '/a#access_token=s3cret', '/a'],
    ['without what is named within it', '/a;jsessionid=s3cret/b/token=s3cret/c', '/a;/b/token=/c'],
    ['without the authority of an absolute form', 'http://user:s3cret@host/a?b', '/a'],
    ['without a JWT', `/reset/${JWT}/x`, '/reset/[hidden]/x'],
    ['without a token of five parts', `/reset/${PAT}`, '/reset/[hidden]'],
    ['without a JWT whose dots are encoded', `/r/${JWT.replaceAll('.', '%2e')}/x`, '/r/[hidden]/x'],
    ['without an opaque token', `/invite/${OPAQUE}`, '/invite/[hidden]'],
    ['without a long digest', `/r/${'0123456789abcdef'.repeat(4)}`, '/r/[hidden]'],
    ['with ids', '/u/0190f3a4-7b2c-7d00-8f00-0242ac120002', '/u/0190f3a4-7b2c-7d00-8f00-0242ac120002'],
    ['with names in words', '/the-quarterly-report-of-2025.pdf', '/the-quarterly-report-of-2025.pdf'],
    ['with control characters escaped', '/a\r\nb\u0000\u007f"\\', '/a%0D%0Ab%00%7F"\\'],
    ['with bytes as Node hands them over', '/caf\u00c3\u00a9', '/caf%C3%A9'],
    ['with text as other runtimes do', '/日', '/%E6%97%A5'],
    ['with a lone surrogate', '/\ud800', '/%EF%BF%BD'],
  ])('%s', (_name, target, path) => {
    expect(loggedPath(target)).toBe(path);
  });

  it.each(['é', '日', '😀', '%c3%a9', '%F0%9F%98%80', 'a', '%2f', '\u00e9'])(
    'of %j is cut at 512 bytes, and never inside a character or a triplet',
    (unit) => {
      for (let lead = 0; lead < 13; lead++) {
        const path = loggedPath(`/${'x'.repeat(lead)}/${unit.repeat(600)}`);
        expect(Buffer.byteLength(path)).toBeLessThanOrEqual(512);
        expect(Buffer.byteLength(path)).toBeGreaterThan(512 - 12);
        expect(path).toMatch(/^[\x21-\x7e]+$/);
        expect(path).not.toMatch(/%.?$/);
        // Bytes that are no UTF-8 from the start stay what they are.
        if (unit !== '\u00e9' && unit !== 'é') expect(() => decodeURIComponent(path)).not.toThrow();
      }
    },
  );

  it('costs no more for a longer path, whatever it consists of', () => {
    const units = [
      'a',
      '1',
      'f0',
      'aA',
      'z',
      '-',
      '%41',
      '%3B',
      '%80',
      '.',
      '=',
      ';',
      'é',
      'eyJ',
      'eyJabcdef.',
    ];
    const before = process.cpuUsage();
    for (const unit of units) {
      const path = loggedPath(`/${unit.repeat(400_000)}`);
      expect(path.length).toBeLessThanOrEqual(512);
    }
    // Time of the processor, which other work on the machine does not reach; one pass in square takes minutes of it.
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeLessThan(10_000_000);
  });

  it.each([
    ['opaque', OPAQUE],
    ['a JWT', JWT],
    ['hexadecimal', '0123456789abcdef'.repeat(4)],
  ])('shows no piece of a token (%s) that the end of what is looked at parts', (_name, token) => {
    // What is named is hidden, so that the end of what is looked at lies within 512 bytes of what is logged.
    for (let length = 1950; length < 2060; length++) {
      const path = loggedPath(`/;${'x'.repeat(length)}/${token}`);
      const shown = path.slice('/;/'.length);
      if (shown !== '') expect('[hidden]').toContain(shown);
    }
  });

  it('is not logged with LOG_PATHS=off', () => {
    expect(log({ paths: false }).requests.path('/a')).toBeUndefined();
    expect(log({}).requests.path('/a?b')).toBe('/a');
  });
});

it('a fault that nobody foresaw is found by its request id, and its message stays out', () => {
  const { lines, requests } = log({ passing: 0 });
  requests.fault(new Refusal('forbidden', 'not viewer'), { id: 'r1', method: 'GET' });
  requests.fault(new Refusal('internal_error', 'TypeError: x', { cause: new Error(JWT) }), {
    id: 'r2',
    method: 'GET',
  });
  expect(lines).toMatchObject([
    ['internal error', { request_id: 'r2', reason: 'TypeError: x', method: 'GET' }],
  ]);
  expect(JSON.stringify(lines)).not.toContain(JWT);
});

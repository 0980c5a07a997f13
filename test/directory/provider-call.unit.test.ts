import { describe, expect, it } from 'vitest';
import { providerCaller, reasonOf } from '../../shared/adapters/provider-call.ts';
import type { Exchange } from '../../shared/ports/runtime.ts';

const caller = (exchange: Exchange) => providerCaller(exchange, 'https://idm.example.org', 'secret-token');
const failing =
  (error: Error): Exchange =>
  () =>
    Promise.reject(error);
const answering =
  (status: number, headers = {}, text = ''): Exchange =>
  () =>
    Promise.resolve({ status, headers, text });
const read = { method: 'GET', path: '/x', timeoutMs: 1_000 } as const;
const write = { method: 'POST', path: '/x', timeoutMs: 1_000 } as const;

describe('a call to a provider', () => {
  it('that was never sent did nothing, one without an answer may have', async () => {
    const refused = Object.assign(new Error('x'), { code: 'ECONNREFUSED' });
    expect(await caller(failing(refused))(write)).toEqual({ outcome: 'away', reason: 'ECONNREFUSED' });
    const wrapped = new TypeError('fetch failed', { cause: refused });
    expect(await caller(failing(wrapped))(write)).toMatchObject({ outcome: 'away' });
    const cut = Object.assign(new Error('x'), { code: 'ECONNRESET' });
    expect(await caller(failing(cut))(write)).toMatchObject({ outcome: 'slow' });
    expect(await caller(failing(new Error('connection lost')))(write)).toMatchObject({ outcome: 'slow' });
    const late = new DOMException('x', 'TimeoutError');
    expect(await caller(failing(late))(write)).toEqual({ outcome: 'slow', reason: 'no answer in time' });
  });

  it('that only read did nothing, whatever became of it', async () => {
    const cut = Object.assign(new Error('x'), { code: 'ECONNRESET' });
    expect(await caller(failing(cut))(read)).toMatchObject({ outcome: 'away' });
  });

  it('that is throttled says for how long', async () => {
    expect(await caller(answering(429, { 'retry-after': '7' }))(write)).toMatchObject({
      outcome: 'busy',
      retryAfterSeconds: 7,
    });
    expect(await caller(answering(429, { 'retry-after': 'soon' }))(write)).toMatchObject({
      outcome: 'busy',
      retryAfterSeconds: null,
    });
  });

  it('is judged by what a proxy answers in front of the provider', async () => {
    expect(await caller(answering(503))(write)).toMatchObject({ outcome: 'away' });
    for (const status of [502, 504])
      expect(await caller(answering(status))(write)).toMatchObject({ outcome: 'slow' });
    const moved = await caller(answering(301))(read);
    expect(moved).toMatchObject({ outcome: 'failed' });
    expect(moved.outcome === 'failed' && moved.reason).toContain('redirects');
  });

  it('has the time-out and the token of its own, and a type only where there is a body', async () => {
    const sent: unknown[] = [];
    const exchange: Exchange = async (call) => {
      sent.push(call);
      return { status: 200, headers: {}, text: 'null' };
    };
    await caller(exchange)({ ...read, timeoutMs: 1_234 });
    await caller(exchange)({ ...write, body: { a: 1 } });
    expect(sent).toEqual([
      {
        method: 'GET',
        url: 'https://idm.example.org/x',
        timeoutMs: 1_234,
        headers: { authorization: 'Bearer secret-token', accept: 'application/json' },
      },
      {
        method: 'POST',
        url: 'https://idm.example.org/x',
        timeoutMs: 1_000,
        headers: {
          authorization: 'Bearer secret-token',
          accept: 'application/json',
          'content-type': 'application/json',
        },
        body: '{"a":1}',
      },
    ]);
  });
});

describe("a provider's reason", () => {
  it('is its own words, short, and without tokens, hashes or links', () => {
    const secrets = [
      'eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.abc',
      '$2b$10$Vd7S1b8ZTOuVVXQ8nTqCPumZmFLSKU0KKUUPPAaowab6hA/5ZA/gq',
      '$argon2id$v=19$m=19456,t=2,p=1$tpjhqO5$V1wXq91',
      '{PBKDF2-SHA512}100000$c2FsdA$aGFzaA',
      'token=abcde-fghij',
    ];
    for (const secret of secrets) {
      const reason = reasonOf(400, { error: `refused ${secret} here` });
      expect(reason).toContain('refused');
      expect(reason).not.toContain(secret.split('=').at(-1)!.slice(4, 20));
    }
    expect(reasonOf(500, 'x'.repeat(10_000)).length).toBeLessThan(330);
    expect(reasonOf(500, '')).toBe('status 500');
  });
});

import { describe, expect, it } from 'vitest';
import { readBody } from '../../shared/edge/body.ts';
import { verify } from '../../functions/webhooks/receive/verify.ts';
import { Refusal } from '../../shared/errors.ts';
import { manualClock } from '../support/clock.ts';
import { hmac } from './sign.ts';

const KEY = 'test-signing-key';
const T = 1_700_000_000;
const BODY = '{"a":1}';
const VECTOR = '117330a7363a74e90d1bbe333d30e2c90acad8c2fe34ec31a00de21f08d52688';
const NEW_KEY = 'the-key-after-a-rotation';

interface Sent {
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly keys?: readonly string[];
  readonly secret?: string | null;
  readonly atS?: number;
  readonly accepts?: Parameters<typeof verify>[1];
}

const sent = (request: Request, most: number) => ({
  headers: request.headers,
  body: () => readBody(request, most),
});

async function judge({ headers = {}, body = BODY, keys = [KEY], secret = null, atS = T, accepts }: Sent) {
  const request = new Request('http://gateway.test/webhooks/zitadel', { method: 'POST', headers, body });
  try {
    const bytes = await verify(sent(request, 10_000), accepts ?? 'signature', {
      webhooks: { signingKeys: keys, sharedSecret: secret },
      clock: manualClock(atS * 1000),
    });
    return new TextDecoder().decode(bytes);
  } catch (error) {
    return error instanceof Refusal ? error.code : error;
  }
}

const signed = (value: string): Record<string, string> => ({ 'zitadel-signature': value });

describe('a signature', () => {
  it("fits the documented vector: the key's text, the time, a dot, the raw body", async () => {
    expect(await judge({ headers: signed(`t=${T},v1=${VECTOR}`) })).toBe(BODY);
  });

  it('counts with any of several keys and any of several values, whatever their order', async () => {
    const wrong = 'f'.repeat(64);
    for (const value of [`v1=${wrong},v1=${VECTOR},t=${T}`, `t=${T}, v1=${VECTOR}, v1=${wrong}`])
      expect(await judge({ headers: signed(value), keys: [NEW_KEY, KEY] })).toBe(BODY);
    const renewed = hmac(NEW_KEY, BODY, T);
    expect(await judge({ headers: signed(`t=${T},v1=${renewed}`), keys: [NEW_KEY, KEY] })).toBe(BODY);
  });

  it.each([
    ['300 s old', T + 300],
    ['300 s ahead', T - 300],
  ])('%s counts', async (_, atS) => {
    expect(await judge({ headers: signed(`t=${T},v1=${VECTOR}`), atS })).toBe(BODY);
  });

  it.each([
    ['301 s old', T + 301],
    ['301 s ahead', T - 301],
  ])('%s does not', async (_, atS) => {
    expect(await judge({ headers: signed(`t=${T},v1=${VECTOR}`), atS })).toBe('invalid_signature');
  });

  it.each([
    ['another key', { keys: [NEW_KEY] }],
    ['another body', { body: '{"a":2}' }],
    ['a body with a space more', { body: '{"a": 1}' }],
    ['no key', { keys: [] }],
    ['another time', { headers: signed(`t=${T + 1},v1=${VECTOR}`) }],
  ] as const)('does not fit %s', async (_, sent) => {
    expect(await judge({ headers: signed(`t=${T},v1=${VECTOR}`), ...sent })).toBe('invalid_signature');
  });

  it.each([
    ['nothing', ''],
    ['no time', `v1=${VECTOR}`],
    ['no value', `t=${T}`],
    ['two times', `t=${T},t=${T},v1=${VECTOR}`],
    ['a time that is no number', `t=${T}.0,v1=${VECTOR}`],
    ['a value cut short', `t=${T},v1=${VECTOR.slice(0, 62)}`],
    ['a value that is no hex', `t=${T},v1=${'z'.repeat(64)}`],
    ['a scheme of later', `t=${T},v2=${VECTOR}`],
    ['nine values', `t=${T}${`,v1=${VECTOR}`.repeat(9)}`],
  ])('with %s is refused', async (_, value) => {
    expect(await judge({ headers: signed(value) })).toBe('invalid_signature');
  });
});

describe('before a body is read', () => {
  /** A body that says when somebody looks at it. */
  function watched(): { readonly body: ReadableStream; readonly read: () => boolean } {
    let read = false;
    const body = new ReadableStream(
      {
        pull(controller) {
          read = true;
          controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    return { body, read: () => read };
  }

  it.each([
    ['no signature', {}, T],
    ['a signature that no body could fit', signed(`t=${T},v1=${VECTOR.slice(0, 62)}`), T],
    ['a malformed signature', signed('t=x'), T],
    ['an old signature', signed(`t=${T},v1=${VECTOR}`), T + 301],
    ['a wrong secret', { 'x-webhook-secret': 'wrong' }, T],
    ['a length over the limit', { ...signed(`t=${T},v1=${VECTOR}`), 'content-length': '70000' }, T],
  ])('%s is refused, and nothing is hashed', async (_, headers, atS) => {
    const { body, read } = watched();
    const request = new Request('http://gateway.test/', { method: 'POST', headers, body, duplex: 'half' });
    const judged = verify(sent(request, 65_536), 'signature or shared secret', {
      webhooks: { signingKeys: [KEY], sharedSecret: 'right' },
      clock: manualClock(atS * 1000),
    });
    await expect(judged).rejects.toBeInstanceOf(Refusal);
    expect(read()).toBe(false);
  });
});

describe('a body', () => {
  it('that does not end is waited for no longer than the bound', async () => {
    let cancelled = false;
    const body = new ReadableStream({
      start: (controller) => {
        controller.enqueue(new TextEncoder().encode('{'));
      },
      cancel: () => {
        cancelled = true;
      },
    });
    const request = new Request('http://gateway.test/', { method: 'POST', body, duplex: 'half' });
    await expect(readBody(request, 1_000, 5)).rejects.toMatchObject({ code: 'invalid_request' });
    expect(cancelled).toBe(true);
  });
});

describe('a shared secret', () => {
  const secret = 'shared-secret-of-scripts';
  const accepts = 'signature or shared secret';

  it('counts where scripts may send it', async () => {
    expect(await judge({ headers: { 'x-webhook-secret': secret }, secret, accepts })).toBe(BODY);
  });

  it.each([
    ['a wrong one', { headers: { 'x-webhook-secret': `${secret}x` }, secret, accepts }],
    ['an empty one', { headers: { 'x-webhook-secret': '' }, secret, accepts }],
    ['one where none is configured', { headers: { 'x-webhook-secret': '' }, accepts }],
    ['one where only signatures count', { headers: { 'x-webhook-secret': secret }, secret }],
    ['none', { secret, accepts }],
  ] as const)('%s is refused', async (_, sent) => {
    expect(await judge(sent)).toBe('invalid_signature');
  });

  it('opens the way to no body over MAX_BODY_BYTES', async () => {
    const headers = { 'x-webhook-secret': secret };
    const most = 'x'.repeat(10_000);
    expect(await judge({ headers, secret, accepts, body: most })).toBe(most);
    expect(await judge({ headers, secret, accepts, body: `${most}x` })).toBe('body_too_large');
  });

  it('does not help a signature that does not hold', async () => {
    const headers = { 'x-webhook-secret': secret, ...signed(`t=${T},v1=${'0'.repeat(64)}`) };
    expect(await judge({ headers, secret, accepts })).toBe('invalid_signature');
  });
});

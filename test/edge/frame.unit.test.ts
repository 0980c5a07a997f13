import { describe, expect, it } from 'vitest';
import { MemoryCounters } from '../../shared/adapters/counters/memory.ts';
import { guardAddress } from '../../shared/edge/quota.ts';
import { framed, type FrameDeps, type OwnRoute } from '../../shared/edge/frame.ts';
import { CountersUnavailable, Refusal } from '../../shared/errors.ts';
import { manualClock } from '../support/clock.ts';
import { ground, own, request, send } from './framing.ts';

describe('a route with the coarse quota', () => {
  const route = own(() => new Response('work'), { quota: 'coarse' });

  it('answers an address 6,000 times a minute, and others after that', async () => {
    const deps = ground();
    for (let n = 0; n < 6_000; n++) guardAddress('203.0.113.7', deps.guard);
    expect((await send(route, deps)).status).toBe(429);
    expect((await send(route, deps, { ...request(), address: '203.0.113.8' })).status).toBe(200);
  });
});

describe('a route with a quota of its own', () => {
  const quota = { name: 'login', limit: 2, windowMs: 60_000 };
  const route = own(() => new Response('signed in'), { quota });

  it('says on each answer what is left, and refuses an address that asked too often', async () => {
    const deps = ground();
    const limits: (string | null)[] = [];
    for (let n = 0; n < 3; n++) limits.push((await send(route, deps)).headers.get('ratelimit'));
    expect(limits).toEqual(['"login";r=1;t=60', '"login";r=0;t=60', '"login";r=0;t=60']);
    const over = await send(route, deps);
    expect([over.status, over.headers.get('ratelimit-policy'), over.headers.get('retry-after')]).toEqual([
      429,
      '"login";q=2;w=60',
      '60',
    ]);
    expect((await send(route, deps, { ...request(), address: '203.0.113.8' })).status).toBe(200);
    expect(
      (
        await send(
          own(() => new Response('else'), { quota: 'coarse' }),
          deps,
        )
      ).status,
    ).toBe(200);
  });

  it('counts over all instances, by the counters that they share', async () => {
    const counters = new MemoryCounters({ clock: manualClock() });
    for (let n = 0; n < 2; n++) expect((await send(route, { ...ground(), counters })).status).toBe(200);
    expect((await send(route, { ...ground(), counters })).status).toBe(429);
  });

  it('is away with its store, and answers nobody then', async () => {
    let asked = 0;
    const take = () => Promise.reject(new CountersUnavailable('away'));
    const counted = own(() => new Response(String((asked += 1))), { quota });
    const answer = await send(counted, { ...ground(), counters: { take } });
    expect([answer.status, asked]).toEqual([503, 0]);
  });
});

describe('a body', () => {
  const measure: OwnRoute['answer'] = async (_request, { body }) =>
    new Response(String((await body()).length));
  const length = own(measure, { maxBodyBytes: 100_000 });
  const post = (route: OwnRoute, deps: FrameDeps, bytes: number, declared: boolean): Promise<Response> => {
    const read = { ...request().read, contentLength: declared ? bytes : -1 };
    const body = new Uint8Array(bytes);
    const sent = new Request('http://gateway.test/own', { method: 'POST', body });
    return framed(route, sent, { ...request('POST'), read }, deps);
  };

  it.each([true, false])('may be as long as its route says; declared: %s', async (declared) => {
    const deps = ground();
    expect(await (await post(length, deps, 100_000, declared)).text()).toBe('100000');
    expect((await post(length, deps, 100_001, declared)).status).toBe(413);
    const plain = own(measure);
    expect(await (await post(plain, deps, 65_536, declared)).text()).toBe('65536');
    expect((await post(plain, deps, 65_537, declared)).status).toBe(413);
  });

  it('is never longer than MAX_BODY_BYTES, whatever its route says', async () => {
    const deps = { ...ground(), config: { maxBodyBytes: 10 } };
    expect((await post(length, deps, 11, true)).status).toBe(413);
    expect((await post(length, deps, 11, false)).status).toBe(413);
    expect(await (await post(length, deps, 10, false)).text()).toBe('10');
  });
});

describe('a route that counts refusals alone', () => {
  it.each([
    [new Refusal('invalid_signature', 'no key fits'), 429],
    [new Refusal('invalid_token', 'wrong token'), 429],
    [new Refusal('body_too_large', 'large'), 429],
    [new Refusal('invalid_request', 'signed, but no event'), 400],
    [new Refusal('database_unavailable', 'away'), 503],
  ])('%s, the 601st time within a minute: %d', async (refusal, status) => {
    const deps = ground();
    const failing = own(() => {
      throw refusal;
    });
    for (let n = 0; n < 600; n++) expect((await send(failing, deps)).status).toBe(refusal.status);
    expect((await send(failing, deps)).status).toBe(status);
    expect(
      (
        await send(
          own(() => new Response('work')),
          deps,
        )
      ).status,
    ).toBe(200);
    if (status === 429) expect(deps.lines.at(-2)?.['reason']).toContain(refusal.reason);
  });

  it('goes on when the memory of the guard is full', async () => {
    const full = {
      take: () => {
        throw new CountersUnavailable('full');
      },
    };
    const failing = own(() => {
      throw new Refusal('invalid_signature', 'no key fits');
    });
    expect((await send(failing, ground(full))).status).toBe(401);
  });
});

describe('the frame', () => {
  it('records what nobody foresaw as internal_error, and its answer quotes nothing', async () => {
    const deps = ground();
    const broken = own(() => Promise.reject(new TypeError('quotes a s3cret')));
    const answer = await send(broken, deps);
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain('s3cret');
    expect(deps.lines[0]).toMatchObject({ request_id: 'r1', method: 'GET' });
    expect(deps.lines[1]).toMatchObject({
      request_id: 'r1',
      rule: '/own',
      code: 'internal_error',
      path: '/own',
    });
    expect(deps.measures).toMatchObject([{ own: true, rule: '/own', code: 'internal_error', status: 500 }]);
  });

  it('answers and records what may go no further for its form, and does not ask the route', async () => {
    const deps = ground();
    const fault = new Refusal('invalid_request', 'malformed Host');
    const answer = await send(
      own(() => new Response('never')),
      deps,
      { ...request(), fault },
    );
    expect([answer.status, answer.headers.get('x-request-id')]).toEqual([400, 'r1']);
    expect(deps.lines).toMatchObject([{ rule: '/own', code: 'invalid_request', reason: 'malformed Host' }]);
  });
});

describe('whatever a route answers', () => {
  const quota = { name: 'login', limit: 9, windowMs: 60_000 };
  const fieldsOf = ({ status, headers: h }: Response) => [status, h.get('x-request-id'), h.get('ratelimit')];

  it('several cookies remain several fields, to HEAD too', async () => {
    const headers = new Headers([
      ['set-cookie', 'a=1; Path=/; Expires=Wed, 01 Jan 2031 00:00:00 GMT'],
      ['set-cookie', 'b=2; Path=/'],
      ['location', '/next'],
    ]);
    const route = own(() => new Response(null, { status: 303, headers }), { quota });
    for (const method of ['GET', 'HEAD']) {
      const answer = await send(route, ground(), request(method));
      expect(fieldsOf(answer)).toEqual([303, 'r1', '"login";r=8;t=60']);
      expect(answer.headers.getSetCookie()).toEqual(headers.getSetCookie());
    }
  });

  it('a fetched answer keeps its content', async () => {
    const answer = await send(
      own(() => fetch('data:text/plain,fetched'), { quota }),
      ground(),
    );
    expect(fieldsOf(answer)).toEqual([200, 'r1', '"login";r=8;t=60']);
    expect(await answer.text()).toBe('fetched');
  });

  it.each<[string, OwnRoute['answer']]>([
    ['an answer that is an error', () => Response.error()],
    ['no answer', () => undefined as never],
    [
      'a refusal whose fields no answer can have',
      () => Promise.reject(new Refusal('invalid_token', 'none', { headers: { x: 'a\nb' } })),
    ],
  ])('%s is a problem of its own, and logged as one', async (_what, answer) => {
    const deps = ground();
    const got = await send(own(answer, { quota }), deps);
    expect([got.status, got.headers.get('x-request-id')]).toEqual([500, 'r1']);
    expect(await got.json()).toMatchObject({ code: 'internal_error', request_id: 'r1' });
    expect(deps.lines).toContainEqual(expect.objectContaining({ code: 'internal_error', status: 500 }));
    expect(deps.measures).toMatchObject([{ code: 'internal_error', status: 500 }]);
  });
});

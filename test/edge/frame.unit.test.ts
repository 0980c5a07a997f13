import { describe, expect, it } from 'vitest';
import { MemoryCounters } from '../../shared/adapters/counters/memory.ts';
import { guardAddress } from '../../shared/edge/address-guard.ts';
import { cors } from '../../shared/edge/cors.ts';
import { framed, type Framed, type FrameDeps, type OwnRoute } from '../../shared/edge/frame.ts';
import { requestLog } from '../../shared/edge/request-log.ts';
import { CountersUnavailable, Refusal } from '../../shared/errors.ts';
import type { LogFields } from '../../shared/ports/log.ts';
import type { RequestMeasure } from '../../shared/ports/metrics.ts';
import { manualClock } from '../support/clock.ts';

interface Ground extends FrameDeps {
  readonly lines: (LogFields | undefined)[];
  readonly measures: RequestMeasure[];
}

function ground(guard: FrameDeps['guard'] = new MemoryCounters({ clock: manualClock() })): Ground {
  const lines: (LogFields | undefined)[] = [];
  const measures: RequestMeasure[] = [];
  const write = (_message: string, fields?: LogFields) => void lines.push(fields);
  const log = { debug: write, info: write, warn: write, error: write };
  return {
    lines,
    measures,
    guard,
    log,
    cors: cors([]),
    requests: requestLog({ passing: 1, paths: true }, { log, random: { hex: () => '0' } }),
    metrics: {
      request: (measure) => void measures.push(measure),
      gauge: () => undefined,
      counter: () => () => undefined,
      render: () => Promise.reject(new Error()),
    },
  };
}

const request = (method = 'GET'): Framed => ({
  id: 'r1',
  method,
  target: '/own?secret=1',
  address: '203.0.113.7',
  fault: undefined,
  read: { origin: undefined, preflightMethod: undefined, preflightHeaders: undefined, contentLength: -1 },
});
const own = (answer: OwnRoute['answer'], guarded = false): OwnRoute => ({
  path: '/own',
  methods: ['GET'],
  guarded,
  answer,
});
const send = (route: OwnRoute, deps: FrameDeps, seen = request()): Promise<Response> =>
  framed(route, new Request('http://gateway.test/own'), seen, deps);

describe('a guarded route', () => {
  const route = own(() => new Response('work'), true);

  it('answers an address 6,000 times a minute, and others after that', async () => {
    const deps = ground();
    for (let n = 0; n < 6_000; n++) guardAddress('203.0.113.7', deps.guard);
    expect((await send(route, deps)).status).toBe(429);
    expect((await send(route, deps, { ...request(), address: '203.0.113.8' })).status).toBe(200);
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

import { expect, it } from 'vitest';
import { expectRefusal, expectStopped } from '../support/refusal.ts';
import { gatewaySuite, type Stage } from '../support/suite.ts';

async function as(stage: Stage, sub: string, target = '/me'): Promise<Response> {
  return stage.gateway.fetch(target, { headers: { authorization: await stage.bearer({ sub }) } });
}

gatewaySuite('each caller has a quota', { variables: () => ({ RATE_LIMIT: '5/1h' }) }, (stage) => {
  it('every limited answer tells the policy and what is left', async () => {
    const answer = await as(stage, 'anna');
    expect(answer.headers.get('ratelimit-policy')).toBe('"default";q=5;w=3600');
    expect(answer.headers.get('ratelimit')).toMatch(/^"default";r=4;t=\d+$/);
  });

  it('also the refusals that come after counting', async () => {
    const answer = await as(stage, 'anna', '/admin/x');
    expect(answer.headers.get('ratelimit')).toMatch(/^"default";r=3;t=\d+$/);
    await expectRefusal(answer, 'forbidden');
  });

  it('of 20 requests at once exactly the limit passes', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => as(stage, 'berta')));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(5);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(15);
    expect(stage.upstream.requests).toHaveLength(5);
  });

  it('over it: 429 with the time to come back', async () => {
    for (let n = 0; n < 5; n++) await as(stage, 'clara');
    const sent = as(stage, 'clara');
    const retryAfter = Number((await sent).headers.get('retry-after'));
    expect(retryAfter).toBeGreaterThan(0);
    expect(retryAfter).toBeLessThanOrEqual(3600);
    expect((await sent).headers.get('ratelimit-policy')).toBe('"default";q=5;w=3600');
    expect((await sent).headers.get('ratelimit')).toMatch(/^"default";r=0;t=\d+$/);
    await expectStopped(sent, 'rate_limited', stage.upstream);
  });

  it('one caller does not use up the quota of another', async () => {
    for (let n = 0; n < 6; n++) await as(stage, 'doris');
    expect((await as(stage, 'emil')).status).toBe(200);
  });

  it('a rule may have a quota of its own', async () => {
    const statuses: number[] = [];
    for (let n = 0; n < 4; n++) statuses.push((await as(stage, 'frida', '/few')).status);
    expect(statuses).toEqual([200, 200, 200, 429]);
    expect((await as(stage, 'frida')).status).toBe(200);
  });

  it('without a token the address is the caller', async () => {
    const statuses: number[] = [];
    for (let n = 0; n < 3; n++) statuses.push((await stage.gateway.fetch('/few/public')).status);
    expect(statuses).toEqual([200, 200, 429]);
  });

  it('a spoofed X-Forwarded-For makes no new caller', async () => {
    const sent = stage.gateway.fetch('/few/public', { headers: { 'x-forwarded-for': '203.0.113.9' } });
    await expectStopped(sent, 'rate_limited', stage.upstream);
  });

  it('a request that is refused before it is known costs nobody a quota', async () => {
    const before = (await as(stage, 'greta')).headers.get('ratelimit');
    for (let n = 0; n < 3; n++) await stage.gateway.fetch('/me');
    expect((await as(stage, 'greta')).headers.get('ratelimit')).toContain('r=3');
    expect(before).toContain('r=4');
  });
});

// Nothing listens on port 1 of loopback.
const AWAY = { UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1', UPSTASH_REDIS_REST_TOKEN: 'upstash-token' };

gatewaySuite(
  'counter store away, RATE_LIMIT_FAILURE=closed',
  { variables: () => ({ ...AWAY, RATE_LIMIT_FAILURE: 'closed' }) },
  (stage) => {
    it('503, never 429', async () => {
      await expectStopped(as(stage, 'alice'), 'limiter_unavailable', stage.upstream);
    });

    it('/ready says so with 503', async () => {
      const answer = await stage.gateway.fetch('/ready');
      expect(answer.status).toBe(503);
      expect(await answer.json()).toMatchObject({ dependencies: { counters: { up: false, needed: true } } });
    });
  },
);

gatewaySuite(
  'counter store away, RATE_LIMIT_FAILURE=local',
  { variables: () => ({ ...AWAY, RATE_LIMIT: '2/1h' }) },
  (stage) => {
    it('the instance limits by itself', async () => {
      const statuses: number[] = [];
      for (let n = 0; n < 3; n++) statuses.push((await as(stage, 'alice')).status);
      expect(statuses).toEqual([200, 200, 429]);
    });
  },
);

gatewaySuite(
  'counter store away, RATE_LIMIT_FAILURE=open',
  { variables: () => ({ ...AWAY, RATE_LIMIT: '2/1h', RATE_LIMIT_FAILURE: 'open' }) },
  (stage) => {
    it('everyone is admitted', async () => {
      const statuses: number[] = [];
      for (let n = 0; n < 4; n++) statuses.push((await as(stage, 'alice')).status);
      expect(statuses).toEqual([200, 200, 200, 200]);
    });
  },
);

import { expect, it } from 'vitest';
import { statusRoutes } from '../../functions/status/function.ts';
import type { Look } from '../../shared/edge/readiness.ts';
import { shareInFlight } from '../../shared/caches/in-flight.ts';
import { manualClock } from '../support/clock.ts';

const ASKED = {
  id: 'r1',
  address: '203.0.113.7',
  body: async () => new Uint8Array(),
  setCookies: () => undefined,
};

it('probes that come together look at a slow dependency once', async () => {
  let looks = 0;
  let answer: ((look: Look) => void) | undefined;
  const look = (): Promise<Look> => {
    looks += 1;
    return new Promise((resolve) => (answer = resolve));
  };
  const ready = statusRoutes({
    config: { environment: 'production', metricsToken: null },
    runtime: 'node',
    clock: manualClock(),
    metrics: {
      request() {},
      gauge() {},
      counter: () => () => undefined,
      render: () => Promise.reject(new Error()),
    },
    collapse: shareInFlight,
    checks: [{ name: 'slow', check: 'targets', needed: true, look }],
  }).find(({ path }) => path === '/ready');
  const probes = Array.from({ length: 50 }, async () =>
    ready?.answer(new Request('http://gateway.test/ready'), ASKED),
  );
  await Promise.resolve();
  answer?.({ up: true, state: 'up' });
  const answers = await Promise.all(probes);
  expect(answers.map((each) => each?.status)).toEqual(Array.from({ length: 50 }, () => 200));
  expect(looks).toBe(1);
});

import { MemoryCounters } from '../../shared/adapters/counters/memory.ts';
import { cors } from '../../shared/edge/cors.ts';
import { framed, type Framed, type FrameDeps, type OwnRoute } from '../../shared/edge/frame.ts';
import { requestLog } from '../../shared/edge/request-log.ts';
import type { LogFields } from '../../shared/ports/log.ts';
import type { RequestMeasure } from '../../shared/ports/metrics.ts';
import { manualClock } from '../support/clock.ts';

interface Ground extends FrameDeps {
  readonly lines: (LogFields | undefined)[];
  readonly measures: RequestMeasure[];
}

export function ground(guard: FrameDeps['guard'] = new MemoryCounters({ clock: manualClock() })): Ground {
  const lines: (LogFields | undefined)[] = [];
  const measures: RequestMeasure[] = [];
  const write = (_message: string, fields?: LogFields) => void lines.push(fields);
  const log = { debug: write, info: write, warn: write, error: write };
  return {
    lines,
    measures,
    guard,
    config: { maxBodyBytes: 1_000_000 },
    counters: new MemoryCounters({ clock: manualClock() }),
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

export const request = (method = 'GET'): Framed => ({
  id: 'r1',
  method,
  target: '/own?secret=1',
  address: '203.0.113.7',
  fault: undefined,
  read: { origin: undefined, preflightMethod: undefined, preflightHeaders: undefined, contentLength: -1 },
});
export const own = (answer: OwnRoute['answer'], more: Partial<OwnRoute> = {}): OwnRoute => ({
  path: '/own',
  methods: ['GET', 'POST'],
  quota: 'refusals',
  answer,
  ...more,
});
export const send = (route: OwnRoute, deps: FrameDeps, seen = request()): Promise<Response> =>
  framed(route, new Request('http://gateway.test/own'), seen, deps);

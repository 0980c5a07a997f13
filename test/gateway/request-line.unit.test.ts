import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Principal } from '../../functions/gateway/authenticate/principal.ts';
import type { Match } from '../../functions/gateway/match/types.ts';
import { Journey, record } from '../../functions/gateway/journey.ts';
import { jsonLog } from '../../shared/adapters/log-json.ts';
import { requestLog } from '../../shared/edge/request-log.ts';

/** What a request that passed leaves in a log of this level. */
function linesOf(level: 'info' | 'warn', about: { text: string; user?: string; path?: string }): string[] {
  const lines: string[] = [];
  const log = jsonLog(level, (line) => void lines.push(line));
  const journey = new Journey();
  const { text, user, path } = about;
  if (path !== undefined) journey.matched({ rule: { path, target: 'api' } } as Match);
  if (user !== undefined) journey.authenticated({ user } as Principal);
  record({ id: text, method: text, target: '/secret?q=1', address: text }, journey, 200, 'complete', {
    log,
    requests: requestLog({ passing: 1, paths: true }, { log, random: { hex: () => '' } }),
    metrics: {
      request: () => undefined,
      gauge: () => undefined,
      counter: () => () => undefined,
      render: () => Promise.reject(new Error()),
    },
  });
  return lines;
}

it('the line of a request that passed is JSON, whatever stands in it', () => {
  const text = fc.string({ unit: 'binary' });
  fc.assert(
    fc.property(text, text, text, (any, user, path) => {
      const [line = ''] = linesOf('info', { text: any, user, path });
      // JSON has no way to write half a surrogate pair but an escape, which reads back as it was.
      expect(JSON.parse(line)).toMatchObject({
        level: 'info',
        msg: 'request',
        request_id: any,
        method: any,
        rule: path,
        target: 'api',
        status: 200,
        code: 'ok',
        user,
        address: any,
        upstream_us: 0,
      });
      expect(line).not.toMatch(/[\n\r]/);
    }),
  );
});

it('without rule and user it has neither, and no path ever', () => {
  const line: unknown = JSON.parse(linesOf('info', { text: 'x' })[0] ?? '');
  expect(Object.keys(line as object)).toEqual([
    ...['time', 'level', 'msg', 'request_id', 'method', 'status', 'code', 'address'],
    ...['us', 'match_us', 'authenticate_us', 'limit_us', 'authorize_us', 'upstream_us'],
  ]);
});

it('is not written at LOG_LEVEL=warn', () => {
  expect(linesOf('warn', { text: 'x' })).toEqual([]);
});

import { afterAll, beforeAll, expect, it } from 'vitest';
import { reservePort } from '../../dev/listen.ts';
import { startStack, type Stack } from '../../dev/stack.ts';
import { startServer, type RunningServer } from '../../functions/node/process.ts';
import { CHECK_NAMES } from '../../shared/checks/registry.ts';
import { doctor } from './stage.ts';

/** Jobs run at the next whole minute, which no test waits for. */
const OF_JOBS = ['cron', 'reconcile-lag'];
/** Counters are in memory there, PGlite and the stand-in have versions of their own, and nobody keeps backups. */
const NOT_GREEN = {
  configuration: 'yellow',
  versions: 'yellow',
  redis: 'skipped',
  backups: 'skipped',
  'restore-proven': 'skipped',
};

let stack: Stack;
let gateway: RunningServer;
beforeAll(async () => {
  const port = await reservePort(0);
  stack = await startStack({ gatewayUrl: `http://127.0.0.1:${port}` });
  gateway = await startServer({
    ...stack.variables,
    LOG_LEVEL: 'error',
    HOST: '127.0.0.1',
    PORT: String(port),
  });
});
afterAll(async () => {
  await gateway.close();
  await stack.close();
});

it('the doctor finds the whole embedded stack in order, gateway and webhook included', async () => {
  const names = CHECK_NAMES.filter((name) => !OF_JOBS.includes(name));
  const results = await doctor(stack.variables, names);
  const statuses = Object.fromEntries(Object.values(results).map(({ name, status }) => [name, status]));
  expect(statuses).toEqual({ ...Object.fromEntries(names.map((name) => [name, 'green'])), ...NOT_GREEN });
});

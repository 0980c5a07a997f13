import { z } from 'zod';
import { openPgDatabase } from '../../shared/adapters/postgres/pg.ts';
import { createEngine } from './engine.ts';

/** One instance that applies what is due and is killed at its nth call to the outside, before or after the call is made. */
const [url, outside, nowMs, killAt, when] = z
  .tuple([z.string(), z.string(), z.coerce.number(), z.coerce.number(), z.enum(['before', 'after'])])
  .parse(process.argv.slice(2));

let calls = 0;
async function step<T>(call: () => Promise<T>): Promise<T> {
  calls += 1;
  const last = calls === killAt;
  if (last && when === 'before') process.kill(process.pid, 'SIGKILL');
  const answer = await call();
  if (last) process.kill(process.pid, 'SIGKILL');
  return answer;
}

/** The parent keeps tuples and marks, as the services would that survive an instance. */
function asks(...methods: readonly string[]) {
  const ask = (method: string, argument: unknown[]) =>
    step(async () => {
      const answer = await fetch(outside, { method: 'POST', body: JSON.stringify({ method, argument }) });
      return await answer.json();
    });
  return Object.fromEntries(
    methods.map((method) => [method, (...argument: unknown[]) => ask(method, argument)]),
  );
}

async function main(): Promise<void> {
  const pool = openPgDatabase({ url, max: 4 });
  const engine = createEngine({
    query: (statement, row) => step(() => pool.query(statement, row)),
    execute: (statement) => step(() => pool.execute(statement)),
  });
  engine.clock.advance((nowMs - engine.clock.now()) / 1000);
  Object.assign(engine.tuples, asks('read', 'write', 'objectTypes'));
  Object.assign(engine.revocations, asks('mark'));
  await engine.settle();
  await pool.close();
}

void main();

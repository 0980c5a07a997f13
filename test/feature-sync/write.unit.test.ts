import { expect, it } from 'vitest';
import { writeAll } from '../../functions/feature-sync/write.ts';
import { many } from './change.ts';

it('a run that fails leaves no write under way that could land after the next one', async () => {
  const order: string[] = [];
  let answerSlow: () => void = () => undefined;
  const slow = new Promise<void>((resolve) => (answerSlow = resolve));
  let calls = 0;
  const write = async (): Promise<void> => {
    if (++calls === 1) throw new Error('away');
    await slow;
    order.push('a slow write lands');
  };
  const run = writeAll(
    { write },
    { kind: 'writes', tuples: many('a', 0, 200), from: 0, onDone: () => Promise.resolve() },
  ).catch((error: unknown) => order.push(String(error)));
  // Long after the failure in the order of events.
  await new Promise(setImmediate);
  answerSlow();
  await run;
  expect(order).toEqual(['a slow write lands', 'Error: away']);
});

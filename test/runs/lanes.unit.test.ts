import { expect, it } from 'vitest';
import { inLanes } from '../../shared/runs/lanes.ts';
import { gate } from '../cron/support.ts';

it('after a failure it begins no other, and rejects once those under way have ended: none outlives the run', async () => {
  const [failed, goOn] = [gate(), gate()];
  const begun: number[] = [];
  const ended: number[] = [];
  const run = inLanes([1, 2, 3, 4], { parallel: 2, goesOn: () => true }, async (item) => {
    begun.push(item);
    if (item === 1) {
      failed.open();
      throw new Error('away');
    }
    await goOn.opened;
    return async () => void ended.push(item);
  });
  const outcome = run.catch((error: unknown) => `${String(error)}, ended: ${ended.join()}`);
  await failed.opened;
  // Whatever follows the failure by itself has happened by then.
  await new Promise(setImmediate);
  goOn.open();
  expect(await outcome).toBe('Error: away, ended: 2');
  expect(begun).toEqual([1, 2]);
});

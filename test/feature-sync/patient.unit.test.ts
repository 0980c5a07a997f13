import { describe, expect, it } from 'vitest';
import { patient } from '../../functions/feature-sync/write.ts';
import { RelationsUnavailable } from '../../shared/errors.ts';

/** OpenFGA that fails so often, and what a sync then did. */
function outage(failures: number, error: Error = new RelationsUnavailable('away')) {
  const pauses: number[] = [];
  let calls = 0;
  const tuples = {
    read: () => Promise.resolve({ tuples: [], next: undefined }),
    write: () => (++calls <= failures ? Promise.reject(error) : Promise.resolve()),
  };
  const port = patient(tuples, (ms) => {
    pauses.push(ms);
    return Promise.resolve();
  });
  return { write: () => port.write({}), pauses, calls: () => calls };
}

describe('a feature sync while OpenFGA is away', () => {
  it('goes on once OpenFGA is back, after pauses that double', async () => {
    const { write, pauses, calls } = outage(5);
    await write();
    expect([pauses, calls()]).toEqual([[200, 400, 800, 1_600, 3_200], 6]);
  });

  it('gives up after six attempts, for the next run to go on', async () => {
    const { write, calls } = outage(6);
    await expect(write()).rejects.toThrow(RelationsUnavailable);
    expect(calls()).toBe(6);
  });

  it('does not repeat what failed for another reason', async () => {
    const { write, pauses } = outage(1, new TypeError('a fault of ours'));
    await expect(write()).rejects.toThrow(TypeError);
    expect(pauses).toEqual([]);
  });
});

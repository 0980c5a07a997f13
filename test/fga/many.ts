import type { Tuple } from '../../shared/ports/tuples.ts';
import { RelationsUnavailable } from '../../shared/errors.ts';
import { memoryTuples } from '../support/memory-tuples.ts';

/** Several pages, the last of them not full. */
export const MANY: readonly Tuple[] = Array.from({ length: 342 }, (_, index) => ({
  user: `user:u${String(index).padStart(4, '0')}`,
  relation: 'viewer',
  object: `document:${index % 7}`,
}));

export function linesFor(tuples: readonly unknown[]): string {
  return tuples.map((tuple) => `${JSON.stringify(tuple)}\n`).join('');
}

/** A store in memory whose reads or writes fail from one of them on. */
export function failingStore(held: readonly Tuple[] = []) {
  const store = memoryTuples(['document']);
  let left = Infinity;
  const counted = <T>(work: () => Promise<T>): Promise<T> => {
    left -= 1;
    return left < 0 ? Promise.reject(new RelationsUnavailable('OpenFGA is away')) : work();
  };
  return {
    all: () => store.all(),
    failAfter: (calls: number) => void (left = calls),
    filled: async () => {
      for (let at = 0; at < held.length; at += 100) await store.write({ writes: held.slice(at, at + 100) });
    },
    read: (...args: Parameters<typeof store.read>) => counted(() => store.read(...args)),
    write: (...args: Parameters<typeof store.write>) => counted(() => store.write(...args)),
  };
}

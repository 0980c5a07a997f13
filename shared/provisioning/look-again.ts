import type { Directory } from '../ports/directory.ts';
import { allOf } from './make.ts';

export interface LookAgainDeps {
  readonly directory: { readonly traits: Pick<Directory['traits'], 'lagMs'> };
  readonly sleep: (ms: number) => Promise<void>;
}

const BETWEEN_MS = 250;

/** Looks at what is still `open` again and again while lists of the provider may lag behind what was written. Returns what stays open. */
export async function lookAgain<T>(
  open: readonly T[],
  { directory, sleep }: LookAgainDeps,
  look: (open: readonly T[]) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  let left = open;
  for (let waited = 0; left.length > 0 && waited < directory.traits.lagMs; waited += BETWEEN_MS) {
    await sleep(BETWEEN_MS);
    left = await look(left);
  }
  return left;
}

/** As many at a time as providers answer without queueing. */
const TOGETHER = 8;

/** `work` for each, a few at a time; waits for all, so that no call is under way when one has failed. */
export async function someAtATime<T, U>(all: readonly T[], work: (each: T) => Promise<U>): Promise<U[]> {
  const done: U[] = [];
  for (let from = 0; from < all.length; from += TOGETHER) {
    const some = all.slice(from, from + TOGETHER).map(async (each) => work(each));
    done.push(...(await allOf(some)));
  }
  return done;
}

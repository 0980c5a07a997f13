import { expect, vi } from 'vitest';
import { Border, type Fate } from '../support/border.ts';
import { crossToPostgres } from '../support/crossing-postgres.ts';
import { expectRefusal } from '../support/refusal.ts';

const FATES: readonly Fate[] = ['lost', 'unanswered', 'answered'];
/** More than any step sends. */
const MOST_CALLS = 16;

/** A database that is taken away at any of the calls of a step. */
export interface Severed {
  /** Where the database is reached. */
  readonly url: string;
  /** Takes it away at each call of a step in turn, in each way; `after` looks at what is left once it is back. */
  atEachCall<T>(
    prepare: () => Promise<T>,
    step: (prepared: T) => Promise<Response>,
    after: (prepared: T, answer: Response) => Promise<void>,
  ): Promise<void>;
  close(): Promise<void>;
}

/** `isBack`: whether the database is reached again. */
export async function openSevered(url: string, isBack: () => Promise<boolean>): Promise<Severed> {
  const border = new Border();
  const crossing = await crossToPostgres(url, border);
  return {
    url: crossing.url,
    async atEachCall(prepare, step, after) {
      let met = 0;
      for (const fate of FATES) {
        for (let at = 1; at <= MOST_CALLS; at += 1) {
          const prepared = await prepare();
          border.arm(at, fate, () => {
            crossing.cut();
          });
          const answer = await step(prepared);
          const { struck } = border;
          border.disarm();
          await crossing.settled();
          if (!struck) {
            await after(prepared, answer);
            break;
          }
          met += 1;
          await crossing.mend();
          // Connections that were cut are noticed one by one.
          await vi.waitUntil(isBack, { timeout: 600_000, interval: 5 });
          if (answer.status >= 500) await expectRefusal(answer.clone(), 'database_unavailable');
          await after(prepared, answer);
        }
      }
      expect(met).toBeGreaterThan(2);
    },
    close: () => crossing.close(),
  };
}

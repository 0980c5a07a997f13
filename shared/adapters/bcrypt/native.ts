import { availableParallelism } from 'node:os';
import type { Passwords } from '../../ports/passwords.ts';

/** libuv has four threads, which DNS and files need as well. */
const MOST_THREADS = 3;

/** On libuv's threads. Loaded with the first password: most processes have none to check. */
export function nativeBcrypt(): Passwords {
  const library = () => import('@node-rs/bcrypt');
  return {
    async verify(password, hash) {
      return (await library()).verify(password, hash);
    },
    async hash(password, cost) {
      // It writes $2y$, which means the same, and which other libraries refuse.
      const made = await (await library()).hash(password, cost);
      return made.replace(/^\$2[ay]\$/, '$2b$$');
    },
    // One processor is left to the event loop.
    atOnce: Math.max(1, Math.min(MOST_THREADS, availableParallelism() - 1)),
  };
}

import type { Passwords } from '../../ports/passwords.ts';

/** In JavaScript, for runtimes without native code: a hash is that much CPU of its request. Loaded with the first password. */
export function portableBcrypt(): Passwords {
  const library = () => import('bcryptjs');
  return {
    async verify(password, hash) {
      return (await library()).compareSync(password, hash);
    },
    async hash(password, cost) {
      return (await library()).hashSync(password, cost);
    },
    // Each request has its own isolate's time, and none waits for another's.
    atOnce: Infinity,
  };
}

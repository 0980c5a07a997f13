import { RelationsUnavailable } from '../../shared/errors.ts';
import type { Tuples } from '../../shared/tuples.ts';

const ATTEMPTS = 6;
const FIRST_PAUSE_MS = 200;

/** Reads and writes that come again while OpenFGA is away for a moment: nobody waits behind a sync. */
export function patient(
  tuples: Pick<Tuples, 'read' | 'write'>,
  sleep: (ms: number) => Promise<void>,
): Pick<Tuples, 'read' | 'write'> {
  const again = async <T>(work: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        if (attempt === ATTEMPTS || !(error instanceof RelationsUnavailable)) throw error;
      }
      await sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1));
    }
  };
  return {
    read: (filter, continuation) => again(() => tuples.read(filter, continuation)),
    write: (changes) => again(() => tuples.write(changes)),
  };
}

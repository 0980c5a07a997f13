import { open, rename, rm } from 'node:fs/promises';
import { orUnwritable } from './input.ts';

export type Write = (text: string) => Promise<void>;

/**
 * Writes a file that is readable by its owner alone, also where a file of that name was there. It appears under its name when it is whole.
 * Throws Failure.
 */
export async function writePrivately<T>(file: string, work: (to: Write) => Promise<T>): Promise<T> {
  const partial = `${file}.partial`;
  await orUnwritable(partial, () => rm(partial, { force: true }));
  const handle = await orUnwritable(partial, () => open(partial, 'wx', 0o600));
  try {
    const result = await work((text) => orUnwritable(partial, () => handle.appendFile(text)));
    await orUnwritable(partial, () => handle.sync());
    await orUnwritable(file, () => rename(partial, file));
    return result;
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

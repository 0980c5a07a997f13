import { readFile } from 'node:fs/promises';
import { systemFault } from '../shared/system-errors.ts';
import { Failure } from './failure.ts';

/** Throws Failure that names the file, and says why and what to do. */
export async function readText(name: string): Promise<string> {
  try {
    return await readFile(name, 'utf8');
  } catch (error) {
    throw new Failure(`cannot read ${name}: ${systemFault(error) ?? 'unknown error'}`, { cause: error });
  }
}

/** Runs what writes a file. A fault of the system becomes a Failure that names the file, and says why and what to do. */
export async function orUnwritable<T>(name: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    const why = systemFault(error);
    throw why === undefined ? error : new Failure(`cannot write ${name}: ${why}`, { cause: error });
  }
}

import { readFile } from 'node:fs/promises';
import { Failure } from './failure.ts';

/** Throws Failure that names the file and the system's error code. */
export async function readText(name: string): Promise<string> {
  try {
    return await readFile(name, 'utf8');
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new Failure(`cannot read ${name} (${why})`, { cause: error });
  }
}

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InvalidArgumentError } from 'commander';
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

const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** Reads an id off the command line; `whose` says where the right one is found. */
export function uuid(whose: string): (value: string) => string {
  return (value) => {
    if (!UUID.test(value)) throw new InvalidArgumentError(`Write ${whose}.`);
    return value;
  };
}

/** The project's folder: the nearest with a package.json, above cli/ as above the bundle that is built of it. */
export const PROJECT = nearest(dirname(fileURLToPath(import.meta.url)));

function nearest(folder: string): string {
  if (existsSync(join(folder, 'package.json')) || dirname(folder) === folder) return folder;
  return nearest(dirname(folder));
}

/** Reads a whole number off the command line: `least` up to `most`. */
export function wholeNumber(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = /^\d{1,9}$/.test(value) ? Number(value) : NaN;
    if (number >= least && number <= most) return number;
    throw new InvalidArgumentError(`Write a whole number from ${least} to ${most}.`);
  };
}

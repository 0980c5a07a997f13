import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InvalidArgumentError } from 'commander';
import * as z from 'zod';
import { systemFault } from '../shared/system-errors.ts';
import { uuidOf } from '../shared/uuid.ts';
import { Failure } from './failure.ts';

/** Options of several groups. */
export const JSON_OPTION = ['--json', 'print the result as JSON'] as const;
export const DRY_RUN = ['--dry-run', 'print what would be done, with its counts; change nothing'] as const;

/** Throws Failure with the file, the reason and the remedy. */
export async function readText(name: string): Promise<string> {
  try {
    return await readFile(name, 'utf8');
  } catch (error) {
    throw new Failure(`cannot read ${name}: ${systemFault(error) ?? 'unknown error'}`, { cause: error });
  }
}

/** Runs `write`. An error of the system becomes a Failure with the file, the reason and the remedy. */
export async function orUnwritable<T>(name: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    const why = systemFault(error);
    throw why === undefined ? error : new Failure(`cannot write ${name}: ${why}`, { cause: error });
  }
}

/** Parses an id of the command line; `whose` names its source. Throws InvalidArgumentError. */
export function uuid(whose: string): (value: string) => string {
  return (value) => {
    if (uuidOf(value) === null) throw new InvalidArgumentError(`Write ${whose}.`);
    return value;
  };
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Parses an ISO date, or a duration before now. Throws InvalidArgumentError. */
export function since(value: string): Date {
  const [, count = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(value) ?? [];
  const ms = UNITS[unit];
  const date = ms === undefined ? new Date(value) : new Date(Date.now() - Number(count) * ms);
  if (Number.isNaN(date.getTime())) throw new InvalidArgumentError('Write an ISO date, or 30m, 12h, 7d.');
  return date;
}

const DAY = /^\d{4}-\d\d-\d\d$/;
const RFC_3339 = z.iso.datetime({ offset: true });
export const DAY_BEGINS = 'T00:00:00.000Z';
export const DAY_ENDS = 'T23:59:59.999Z';

/** A day in UTC, at the time that `ofDay` names, or a time as RFC 3339 has it; undefined when malformed. */
export function dated(text: string, ofDay: string): Date | undefined {
  const parsed = RFC_3339.safeParse(DAY.test(text) ? text + ofDay : text);
  return parsed.success ? new Date(parsed.data) : undefined;
}

/** The project's folder: the nearest with a package.json, above cli/ or above the built bundle. */
export const PROJECT = nearest(dirname(fileURLToPath(import.meta.url)));

function nearest(folder: string): string {
  if (existsSync(join(folder, 'package.json')) || dirname(folder) === folder) return folder;
  return nearest(dirname(folder));
}

/** Parses a whole number of the command line, `least` to `most`. Throws InvalidArgumentError. */
export function wholeNumber(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = /^\d{1,9}$/.test(value) ? Number(value) : NaN;
    if (number >= least && number <= most) return number;
    throw new InvalidArgumentError(`Write a whole number from ${least} to ${most}.`);
  };
}

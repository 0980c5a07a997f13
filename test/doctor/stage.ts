import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import * as z from 'zod';
import { BACKUP_KIND, MANIFEST_FILE, PROOF_FILE } from '../../shared/backup/records.ts';
import { examine } from '../../cli/doctor/run.ts';
import { VARIABLES } from '../../functions/catalogue.ts';
import { CHECK_NAMES } from '../../shared/checks/registry.ts';
import { sallyport, type Variables } from '../support/sallyport.ts';
import { FULL } from '../support/scale.ts';

const Results = z.array(
  z.strictObject({
    name: z.string(),
    status: z.enum(['green', 'yellow', 'red', 'skipped']),
    cause: z.string().min(1),
    next: z.string(),
  }),
);

export type Found = z.output<typeof Results>[number];

/** What checks find, by their names; all of them without `only`. `withinMs`: what one check gets. */
export async function doctor(
  variables: Variables,
  only: readonly string[] = CHECK_NAMES,
  withinMs?: number,
): Promise<Readonly<Record<string, Found>>> {
  const names = CHECK_NAMES.filter((name) => only.includes(name));
  return byName(await withVariables(variables, () => examine(names, withinMs)));
}

/** The same by the command; its exit code is 1 exactly with any red, and stdout has nothing else. */
export async function doctorCommand(
  variables: Variables,
  ...only: readonly string[]
): Promise<Readonly<Record<string, Found>>> {
  const names = only.flatMap((name) => ['--only', name]);
  const { code, stdout, stderr } = await sallyport(variables, 'doctor', '--json', ...names);
  expect(stderr.replaceAll(/^warning: .*\n/gm, '')).toBe('');
  const results = byName(JSON.parse(stdout));
  expect(code).toBe(Object.values(results).some(({ status }) => status === 'red') ? 1 : 0);
  return results;
}

/** The same where nothing answers: in the small form each check gets a second, and its own waits are longer. */
export function doctorWaiting(variables: Variables, ...only: readonly string[]) {
  return FULL
    ? doctorCommand(variables, ...only)
    : doctor(variables, only.length === 0 ? CHECK_NAMES : only, 1_000);
}

function byName(results: unknown): Readonly<Record<string, Found>> {
  const found = Results.parse(results);
  for (const { status, next } of found) if (status === 'red') expect(next).not.toBe('');
  return Object.fromEntries(found.map((result) => [result.name, result]));
}

/** Of ours whose names hold the name of an issuer or a target. */
const NAMED = /^(?:ISSUER|TARGET)_/;

/** Runs `work` with these variables of ours and no others. */
async function withVariables<T>(variables: Variables, work: () => Promise<T>): Promise<T> {
  const { env } = process;
  const before = { ...env };
  const replace = (by: NodeJS.ProcessEnv): void => {
    for (const name of Object.keys(env)) if (!(name in by)) Reflect.deleteProperty(env, name);
    Object.assign(env, by);
  };
  const others = Object.entries(before).filter(([name]) => !VARIABLES.has(name) && !NAMED.test(name));
  replace({ ...Object.fromEntries(others), ...variables });
  try {
    return await work();
  } finally {
    replace(before);
  }
}

/** One check of them. */
export async function found(variables: Variables, name: string): Promise<Found> {
  const result = (await doctor(variables, [name]))[name];
  if (result === undefined) throw new Error(`there is no check ${name}`);
  return result;
}

/** For `toMatchObject` and its like. */
export const containing = (text: string): unknown => expect.stringContaining(text);
export const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern);

const HOUR_MS = 3_600_000;

/** What a whole backup of so many hours ago looks like to whoever watches. */
export async function backup(folder: string, id: string, hoursAgo: number): Promise<void> {
  const own = join(folder, `${BACKUP_KIND}-${id}`);
  await mkdir(own, { recursive: true });
  const at = new Date(Date.now() - hoursAgo * HOUR_MS).toISOString();
  await writeFile(join(own, MANIFEST_FILE), JSON.stringify({ format: 1, id, at }));
}

/** One was restored so many days ago. */
export async function proven(folder: string, daysAgo: number): Promise<void> {
  const at = new Date(Date.now() - daysAgo * 24 * HOUR_MS).toISOString();
  await writeFile(join(folder, PROOF_FILE), JSON.stringify({ backup: '1', made_at: at, at, parts: [] }));
}

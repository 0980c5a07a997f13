import { rmSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { atExit } from './ending.ts';
import { envFile } from './env-file.ts';
import type { StackVariables } from './stack.ts';

const ROOT = new URL('../', import.meta.url);
/** Ignored by git. */
const FOLDER = '.wrangler';

export interface VariablesFile {
  /** From the project's folder. */
  readonly path: string;
  remove(): Promise<void>;
}

/** Variables in a file that only this user may read; every user of the machine can read a command line. */
export async function writeVariables(name: string, variables: StackVariables): Promise<VariablesFile> {
  const path = `${FOLDER}/${name}.env`;
  const url = new URL(path, ROOT);
  await mkdir(new URL(`${FOLDER}/`, ROOT), { recursive: true });
  const keep = atExit(() => {
    rmSync(url, { force: true });
  });
  // One that a killed demo left may have another mode.
  await rm(url, { force: true });
  await writeFile(url, envFile(variables), { mode: 0o600 });
  return { path, remove: () => rm(url, { force: true }).finally(keep) };
}

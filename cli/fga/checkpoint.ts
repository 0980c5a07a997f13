import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import type * as z from 'zod';
import { orUnwritable } from '../files.ts';
import { Failure } from '../failure.ts';

export interface Checkpoint<T> {
  /** Undefined when there is none. */
  load(): Promise<T | undefined>;
  save(state: T): Promise<void>;
  remove(): Promise<void>;
}

/** How far a long command came, in a file beside its own; replaced whole, so that a crash leaves the old or the new one. */
export function checkpointBeside<T>(file: string, schema: z.ZodType<T>): Checkpoint<T> {
  const name = `${file}.checkpoint`;
  return {
    async load() {
      const text = await readFile(name, 'utf8').catch(() => undefined);
      if (text === undefined) return undefined;
      try {
        return schema.parse(JSON.parse(text));
      } catch (error) {
        throw new Failure(`${name} is not a checkpoint of this command: remove it to begin anew`, {
          cause: error,
        });
      }
    },
    async save(state) {
      await orUnwritable(name, async () => {
        await writeFile(`${name}.tmp`, JSON.stringify(state));
        await rename(`${name}.tmp`, name);
      });
    },
    remove: () => rm(name, { force: true }),
  };
}

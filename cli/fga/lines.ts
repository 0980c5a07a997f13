import type * as z from 'zod';
import { createReadStream } from 'node:fs';
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { systemFault } from '../../shared/system-errors.ts';
import { Failure } from '../failure.ts';
import { orUnwritable } from '../input.ts';

/** Lines of a file, or of stdin (`-`); `start`: from this byte on. Throws Failure when it cannot be read. */
export async function* linesOf(file: string, start = 0): AsyncGenerator<string> {
  const input = file === '-' ? process.stdin : createReadStream(file, { start });
  try {
    yield* splitLines(input.setEncoding('utf8'));
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** Throws Failure for a file that cannot be read, before anything depends on it. */
export async function assertReadable(file: string): Promise<void> {
  try {
    const handle = await open(file);
    // open() succeeds on a folder; only read() fails.
    await handle.read(Buffer.alloc(1)).finally(() => handle.close());
  } catch (error) {
    throw unreadable(file, error);
  }
}

function unreadable(file: string, error: unknown): unknown {
  const why = systemFault(error);
  return why === undefined ? error : new Failure(`cannot read ${file}: ${why}`, { cause: error });
}

/** Splits at line feeds alone: newer versions of node:readline also split at U+2028 and U+2029, valid in JSON strings. */
export async function* splitLines(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

export interface Checkpoint<T> {
  /** Undefined when there is none. */
  load(): Promise<T | undefined>;
  save(state: T): Promise<void>;
  remove(): Promise<void>;
}

/** Progress of a long command, in a file beside its own; replaced atomically, so that a crash leaves the old or the new one. */
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

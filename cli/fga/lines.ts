import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { systemFault } from '../../shared/system-errors.ts';
import { Failure } from '../failure.ts';

/** Lines of a file, or of stdin (`-`). Throws Failure when it cannot be read. */
export async function* linesOf(file: string): AsyncGenerator<string> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  try {
    yield* splitLines(input.setEncoding('utf8'));
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** Throws Failure for a file that cannot be read, before anything is done because of it. */
export async function assertReadable(file: string): Promise<void> {
  try {
    const handle = await open(file);
    // A folder opens; only reading from it fails.
    await handle.read(Buffer.alloc(1)).finally(() => handle.close());
  } catch (error) {
    throw unreadable(file, error);
  }
}

function unreadable(file: string, error: unknown): unknown {
  const why = systemFault(error);
  return why === undefined ? error : new Failure(`cannot read ${file}: ${why}`, { cause: error });
}

/** At line feeds alone: newer versions of node:readline also cut at U+2028 and U+2029, which JSON may hold within a string. */
export async function* splitLines(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

import { createReadStream } from 'node:fs';
import { systemFault } from '../../shared/system-errors.ts';
import { Failure } from '../failure.ts';

/** Lines of a file, or of stdin (`-`). Throws Failure when it cannot be read. */
export async function* linesOf(file: string): AsyncGenerator<string> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  try {
    yield* splitLines(input.setEncoding('utf8'));
  } catch (error) {
    const why = systemFault(error);
    throw why === undefined ? error : new Failure(`cannot read ${file}: ${why}`, { cause: error });
  }
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

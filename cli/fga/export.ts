import { open, rename, stat, type FileHandle } from 'node:fs/promises';
import * as z from 'zod';
import type { Tuple, Tuples } from '../../shared/tuples.ts';
import { Failure } from '../failure.ts';
import { checkpointBeside } from './checkpoint.ts';

const State = z.object({
  /** OpenFGA's continuation token of the next page. */
  next: z.string(),
  /** Bytes of whole pages in the partial file. */
  bytes: z.number().int().min(0),
  count: z.number().int().min(0),
});
type State = z.output<typeof State>;

export interface ExportOptions {
  readonly resume: boolean;
  readonly onProgress: (count: number) => void;
}

/** Every tuple of the store, one JSON object a line, page by page to `write`. Answers with their number. */
export async function exportTo(
  tuples: Pick<Tuples, 'read'>,
  write: (text: string) => Promise<void>,
  onProgress: (count: number) => void,
): Promise<number> {
  let count = 0;
  for (let next: string | undefined, first = true; first || next !== undefined; first = false) {
    const page = await tuples.read({}, next);
    await write(toLines(page.tuples));
    count += page.tuples.length;
    onProgress(count);
    next = page.next;
  }
  return count;
}

/** The same to a file, which appears under its name when it is whole; a cut-off export goes on with `resume`. */
export async function exportToFile(
  tuples: Pick<Tuples, 'read'>,
  file: string,
  { resume, onProgress }: ExportOptions,
): Promise<number> {
  const partial = `${file}.partial`;
  const checkpoint = checkpointBeside(file, State);
  const from = resume ? await checkpoint.load() : undefined;
  if (resume && from === undefined) throw new Failure(`there is no cut-off export of ${file} to resume`);
  let count = from?.count ?? 0;
  let next = from?.next;
  const handle = await openAt(partial, from);
  try {
    for (let bytes = from?.bytes ?? 0; ;) {
      const page = await tuples.read({}, next);
      const { bytesWritten } = await handle.write(toLines(page.tuples), bytes);
      bytes += bytesWritten;
      count += page.tuples.length;
      onProgress(count);
      if (page.next === undefined) break;
      next = page.next;
      await checkpoint.save({ next, bytes, count });
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(partial, file);
  await checkpoint.remove();
  return count;
}

async function openAt(partial: string, from: State | undefined): Promise<FileHandle> {
  if (from === undefined) return open(partial, 'w', 0o600);
  const size = await stat(partial).then(
    (found) => found.size,
    () => -1,
  );
  if (size < from.bytes) throw new Failure(`${partial} is shorter than its checkpoint says: begin anew`);
  const handle = await open(partial, 'r+');
  await handle.truncate(from.bytes);
  return handle;
}

function toLines(page: readonly Tuple[]): string {
  return page.map((tuple) => `${JSON.stringify(tuple)}\n`).join('');
}

import { open, rename, stat, type FileHandle } from 'node:fs/promises';
import * as z from 'zod';
import type { Tuple, Tuples } from '../../shared/ports/tuples.ts';
import { Failure } from '../failure.ts';
import { orUnwritable } from '../input.ts';
import { checkpointBeside } from './lines.ts';

const State = z.object({
  store: z.string(),
  /** OpenFGA's continuation token of the next page; absent before the first. */
  next: z.string().optional(),
  /** Bytes of whole pages in the partial file. */
  bytes: z.number().int().min(0),
  count: z.number().int().min(0),
});
type State = z.output<typeof State>;

export interface ExportOptions {
  readonly store: string;
  readonly resume: boolean;
  readonly onProgress: (count: number) => void;
}

/** Writes every tuple of the store, one JSON object a line, page by page. Returns their number. */
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

/** The same to a file, which appears under its name when complete; `resume` continues an interrupted export. */
export async function exportToFile(
  tuples: Pick<Tuples, 'read'>,
  file: string,
  { store, resume, onProgress }: ExportOptions,
): Promise<number> {
  const partial = `${file}.partial`;
  const checkpoint = checkpointBeside(file, State);
  const from = resume ? await checkpoint.load() : undefined;
  if (resume && from === undefined) throw new Failure(`there is no cut-off export of ${file} to resume`);
  if (from !== undefined && from.store !== store)
    throw new Failure(
      `the cut-off export of ${file} is of store ${from.store}, and OPENFGA_STORE_ID is another`,
    );
  // So that an export which fails within its first page can resume too, and not where an older one stopped.
  if (from === undefined) await checkpoint.save({ store, bytes: 0, count: 0 });
  let count = from?.count ?? 0;
  let next = from?.next;
  const handle = await orUnwritable(partial, () => openAt(partial, from));
  try {
    for (let bytes = from?.bytes ?? 0; ;) {
      const page = await tuples.read({}, next);
      const text = toLines(page.tuples);
      await orUnwritable(partial, () => handle.appendFile(text));
      bytes += Buffer.byteLength(text);
      count += page.tuples.length;
      onProgress(count);
      if (page.next === undefined) break;
      next = page.next;
      await checkpoint.save({ store, next, bytes, count });
    }
    await orUnwritable(partial, () => handle.sync());
  } finally {
    await handle.close();
  }
  await orUnwritable(file, () => rename(partial, file));
  await checkpoint.remove();
  return count;
}

async function openAt(partial: string, from: State | undefined): Promise<FileHandle> {
  if (from === undefined) return open(partial, 'w', 0o600);
  const size = await stat(partial).then(
    (found) => found.size,
    () => 0,
  );
  if (size < from.bytes) throw new Failure(`${partial} is shorter than its checkpoint says: begin anew`);
  const handle = await open(partial, 'a', 0o600);
  await handle.truncate(from.bytes);
  return handle;
}

function toLines(page: readonly Tuple[]): string {
  return page.map((tuple) => `${JSON.stringify(tuple)}\n`).join('');
}

import { createHash, type Hash } from 'node:crypto';
import { link, lstat, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { linesOf } from '../../fga/lines.ts';
import { Failure } from '../../failure.ts';
import { systemCode } from '../../../shared/system-errors.ts';
import { orUnwritable } from '../../input.ts';
import {
  BrokenSeal,
  newContentKey,
  opened,
  sealed,
  unwrapped,
  wrapped,
  type ContentKey,
} from '../../sealed/envelope.ts';
import type { SealingKey } from '../../sealed/keys.ts';

/** An archive is lines of JWE in compact form (RFC 7516). The first is encrypted to the recipient and holds the key of all others, which hold lines of JSON. */

/** Bytes of JSON in one line, about: what is in memory at a time. */
const CHUNK = 256 * 1024;
const TYPE = 'sallyport-cleanup-1';

/** A place in an archive under way. */
export interface Mark {
  readonly bytes: number;
  readonly seq: number;
  /** Over the records, and over the file. */
  readonly plain: Hash;
  readonly whole: Hash;
}

export interface ArchiveWriter {
  /** Writes one record. `text`: its JSON. */
  write(text: string): Promise<void>;
  /** Syncs the file, and reads what came since the last mark back. Throws Failure where that differs from what was written. */
  mark(): Promise<Mark>;
  /** Cuts off what came since. */
  rewind(mark: Mark): Promise<void>;
  /** As `mark`, at the end. Returns the file's SHA-256 as hex. */
  finish(): Promise<string>;
  /** Gives the file its name. Throws Failure where that exists by now. */
  keep(): Promise<void>;
  /** Removes it, under either name. */
  discard(): Promise<void>;
}

/** A file readable by its owner alone, under another name until it is kept. Throws Failure where `file` is there already. */
export async function openArchive(file: string, recipient: SealingKey): Promise<ArchiveWriter> {
  const partial = `${file}.partial`;
  await refuseTaken(file);
  await rm(partial, { force: true });
  const handle = await orUnwritable(partial, () => open(partial, 'wx', 0o600));
  const key = await newContentKey();
  let kept = false;
  let pending: string[] = [];
  let size = 0;
  let at: Mark = { bytes: 0, seq: 0, plain: createHash('sha256'), whole: createHash('sha256') };
  let seen = copyOf(at);
  const line = async (text: string): Promise<void> => {
    const bytes = Buffer.from(`${text}\n`);
    at.whole.update(bytes);
    await orUnwritable(partial, () => handle.write(bytes, 0, bytes.length, at.bytes));
    at = { ...at, bytes: at.bytes + bytes.length };
  };
  const flush = async (last: boolean): Promise<void> => {
    const text = pending.join('');
    at.plain.update(text);
    await line(await sealed(Buffer.from(text), { typ: TYPE, seq: at.seq, last }, key));
    [pending, size, at] = [[], 0, { ...at, seq: at.seq + 1 }];
  };
  const synced = async (): Promise<Mark> => {
    await orUnwritable(partial, () => handle.sync());
    await readBack(partial, key, seen, at);
    seen = copyOf(at);
    return seen;
  };
  await line(await wrapped(key, recipient, TYPE));
  return {
    async write(text) {
      pending.push(text, '\n');
      size += text.length + 1;
      if (size >= CHUNK) await flush(false);
    },
    async mark() {
      if (size > 0) await flush(false);
      return synced();
    },
    async rewind(mark) {
      await orUnwritable(partial, () => handle.truncate(mark.bytes));
      [pending, size, at, seen] = [[], 0, copyOf(mark), mark];
    },
    async finish() {
      await flush(true);
      const { whole } = await synced();
      await handle.close();
      return digestOf(whole);
    },
    async keep() {
      await orUnwritable(file, () => linked(partial, file));
      kept = true;
      await rm(partial);
      await syncFolder(dirname(file));
    },
    async discard() {
      await handle.close().catch(() => undefined);
      await rm(partial, { force: true });
      if (kept) await rm(file, { force: true });
    },
  };
}

function copyOf({ plain, whole, ...where }: Mark): Mark {
  return { ...where, plain: plain.copy(), whole: whole.copy() };
}

function digestOf(hash: Hash): string {
  return hash.copy().digest('hex');
}

async function refuseTaken(file: string): Promise<void> {
  const there = await lstat(file).catch(() => undefined);
  if (there !== undefined) throw taken(file);
}

function taken(file: string): Failure {
  return new Failure(`${file} is there already: an archive is never overwritten`);
}

/** Unlike rename(2), link(2) replaces no file; the name appears with the whole content. Throws Failure where it exists. */
async function linked(partial: string, file: string): Promise<void> {
  try {
    await link(partial, file);
  } catch (error) {
    throw systemCode(error) === 'EEXIST' ? taken(file) : error;
  }
}

/** Compares what the file has from one mark to another with what was written. Throws Failure. */
async function readBack(file: string, key: ContentKey, from: Mark, to: Mark): Promise<void> {
  const { plain, whole } = copyOf(from);
  const lines = linesOf(file, from.bytes);
  if (from.bytes === 0) whole.update(`${await firstOf(lines)}\n`);
  for await (const text of chunks(file, lines, { key, digest: whole, from: from.seq, underWay: true }))
    plain.update(text);
  if (digestOf(plain) !== digestOf(to.plain) || digestOf(whole) !== digestOf(to.whole))
    throw new Failure(`${file} does not read back as it was written: nothing was dropped`);
}

/** After a crash of the machine the name has to be there, not only the file. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder);
  await handle.sync().finally(() => handle.close());
}

/** The records of an archive, each as a text of JSON; `digest` is given the file's lines. Throws Failure for another key, and for a cut or changed file. */
export async function* readArchive(file: string, opener: SealingKey, digest: Hash): AsyncGenerator<string> {
  const lines = linesOf(file);
  const first = await firstOf(lines);
  digest.update(`${first}\n`);
  const key = await contentKeyOf(file, first, opener);
  for await (const text of chunks(file, lines, { key, digest }))
    for (const line of text.split('\n')) if (line !== '') yield line;
}

async function firstOf(lines: AsyncGenerator<string>): Promise<string> {
  const first = await lines.next();
  return first.done === true ? '' : first.value;
}

async function contentKeyOf(file: string, first: string, opener: SealingKey): Promise<ContentKey> {
  if (first.split('.').length !== 5) throw new Failure(`${file} is no archive of the clean-up`);
  const key = await unwrapped(first, opener);
  if (key !== undefined) return key;
  throw new Failure(
    `${file} cannot be opened with this key: it was encrypted to another one, or its beginning was changed`,
  );
}

interface Reading {
  readonly key: ContentKey;
  readonly digest: Hash;
  readonly from?: number;
  readonly underWay?: boolean;
}

async function* chunks(
  file: string,
  lines: AsyncIterable<string>,
  { key, digest, ...range }: Reading,
): AsyncGenerator<string> {
  try {
    for await (const part of opened(noted(lines, digest), key, ({ typ }) => typ === TYPE, range))
      yield new TextDecoder().decode(part);
  } catch (error) {
    throw error instanceof BrokenSeal ? new Failure(`${file} ${error.message}`, { cause: error }) : error;
  }
}

async function* noted(lines: AsyncIterable<string>, digest: Hash): AsyncGenerator<string> {
  for await (const line of lines) {
    digest.update(`${line}\n`);
    yield line;
  }
}

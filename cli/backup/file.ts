import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { systemCode, systemFault } from '../../shared/system-errors.ts';
import { Failure } from '../failure.ts';
import { linesOf } from '../fga/lines.ts';
import { orUnwritable } from '../input.ts';
import { BrokenSeal, opened, sealed, type ContentKey } from '../sealed/envelope.ts';

/** Encrypts the files of one backup. Absent: they are written as they are. */
export interface Seal {
  readonly key: ContentKey;
  /** Id of the backup: in each header, so that no file fits another backup. */
  readonly backup: string;
}

export type Put = (chunk: Uint8Array | string) => Promise<void>;

export interface Written<T> {
  readonly bytes: number;
  readonly sha256: string;
  readonly value: T;
}

const TYPE = 'sallyport-backup-1';
/** Bytes of one encrypted part: what is in memory at a time. */
const CHUNK = 256 * 1024;

/** Writes a file, mode 0600, that is on the disk when this returns; memory is bounded whatever its size. Throws Failure. */
export async function writePart<T>(
  folder: string,
  file: string,
  seal: Seal | null,
  produce: (put: Put) => Promise<T>,
): Promise<Written<T>> {
  const path = join(folder, file);
  const handle = await orUnwritable(path, () => open(path, 'wx', 0o600));
  const hash = createHash('sha256');
  let bytes = 0;
  const store = async (chunk: Uint8Array): Promise<void> => {
    hash.update(chunk);
    bytes += chunk.length;
    await orUnwritable(path, () => handle.writeFile(chunk));
  };
  try {
    const out = seal === null ? plain(store) : encrypted(store, file, seal);
    const value = await produce(out.put);
    await out.end();
    await orUnwritable(path, () => handle.sync());
    return { bytes, sha256: hash.digest('hex'), value };
  } finally {
    await handle.close();
  }
}

interface Out {
  readonly put: Put;
  end(): Promise<void>;
}

type Store = (chunk: Uint8Array) => Promise<void>;

const bytesOf = (chunk: Uint8Array | string): Uint8Array =>
  typeof chunk === 'string' ? Buffer.from(chunk) : chunk;

function plain(store: Store): Out {
  return { put: (chunk) => store(bytesOf(chunk)), end: () => Promise.resolve() };
}

function encrypted(store: Store, file: string, { key, backup }: Seal): Out {
  let pending: Uint8Array[] = [];
  let size = 0;
  let seq = 0;
  const flush = async (last: boolean): Promise<void> => {
    const part = Buffer.concat(pending);
    const line = await sealed(part, { typ: TYPE, backup, file, seq, last }, key);
    [pending, size, seq] = [[], 0, seq + 1];
    await store(Buffer.from(`${line}\n`));
  };
  return {
    async put(chunk) {
      pending.push(bytesOf(chunk));
      size += chunk.length;
      if (size >= CHUNK) await flush(false);
    },
    end: () => flush(true),
  };
}

export interface Stored {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Reads a file to its end and holds it against the manifest. Throws Failure: missing, cut off, or changed. */
export async function checkPart(folder: string, { file, bytes, sha256 }: Stored): Promise<void> {
  const path = join(folder, file);
  const size = await sizeOf(folder, file);
  if (size < bytes) throw new Failure(`${path} is cut off: ${size} of ${bytes} bytes are there`);
  if (size > bytes)
    throw new Failure(`${path} was changed: it has ${size} bytes, and the manifest says ${bytes}`);
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk);
  } catch (error) {
    throw unreadable(path, error);
  }
  if (hash.digest('hex') !== sha256)
    throw new Failure(
      `${path} was changed since the backup was made: its SHA-256 is not that of the manifest`,
    );
}

async function sizeOf(folder: string, file: string): Promise<number> {
  try {
    return (await stat(join(folder, file))).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') throw new Failure(`${folder} lacks ${file}`, { cause: error });
    throw unreadable(join(folder, file), error);
  }
}

function unreadable(path: string, error: unknown): Failure {
  return new Failure(`cannot read ${path}: ${systemFault(error) ?? 'unknown error'}`, { cause: error });
}

/** The content of a file, decrypted on the way. Ends with Failure where it was cut off or changed. */
export function readPart(folder: string, file: string, seal: Seal | null): Readable {
  const path = join(folder, file);
  if (seal === null) return createReadStream(path);
  const isOurs = (header: Readonly<Record<string, unknown>>): boolean =>
    header['typ'] === TYPE && header['backup'] === seal.backup && header['file'] === file;
  return Readable.from(named(path, opened(linesOf(path), seal.key, isOurs)), { objectMode: false });
}

async function* named(path: string, parts: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* parts;
  } catch (error) {
    throw error instanceof BrokenSeal ? new Failure(`${path} ${error.message}`, { cause: error }) : error;
  }
}

import { createReadStream, existsSync } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import * as zlib from 'node:zlib';
import { systemFault } from '../../../shared/system-errors.ts';
import { ChildFailed, readChild, type ChildCall } from '../../children/child.ts';
import { inPath, postgresProgram } from '../../children/programs.ts';
import { Failure } from '../../failure.ts';

/** Forms of pg_dump. `plain`, `gzip` and `zstd` are SQL for psql, the others archives for pg_restore. */
export type DumpFormat = 'plain' | 'gzip' | 'zstd' | 'custom' | 'directory';

export interface DumpSource {
  /** Absolute. */
  readonly file: string;
  readonly format: DumpFormat;
  /** On the disk, all files of a directory together. */
  readonly bytes: number;
  /** Changes when the file does. */
  readonly fingerprint: string;
  /** The oldest major version of pg_restore that reads it; 0 for SQL. */
  readonly pgRestore: number;
}

export type ReadOptions = Pick<ChildCall, 'signal' | 'log' | 'onStart' | 'stallMs'>;

const HEAD_BYTES = 512;
/** Of whole reads by a child: dumps of hundreds of gigabytes are read within. */
export const READ_MS = 24 * 3_600_000;
const CHUNK_BYTES = 1024 * 1024;

/** What a file is, by its first bytes. Throws Failure when it cannot be read or is no form of a dump. */
export async function openDump(name: string): Promise<DumpSource> {
  const file = resolve(name);
  try {
    const found = await stat(file);
    return found.isDirectory() ? await openFolder(file) : await openFile(file, found);
  } catch (error) {
    const why = systemFault(error);
    throw why === undefined ? error : new Failure(`cannot read ${file}: ${why}`, { cause: error });
  }
}

async function openFile(
  file: string,
  found: { readonly size: number; readonly mtimeMs: number },
): Promise<DumpSource> {
  if (found.size === 0) throw new Failure(`${file} is empty`);
  const head = await headOf(file);
  // pg_restore reads a tar that was cut for ever.
  if (isTar(head)) throw new Failure(`${file} is a tar: make it by pg_dump --format=custom`);
  const format = formatOf(head);
  return {
    file,
    format,
    bytes: found.size,
    fingerprint: `${found.size} ${found.mtimeMs}`,
    pgRestore: format === 'custom' ? versionFor(head) : 0,
  };
}

async function openFolder(folder: string): Promise<DumpSource> {
  const toc = join(folder, 'toc.dat');
  if (!existsSync(toc))
    throw new Failure(`${folder} is a folder without toc.dat: none that pg_dump has written`);
  const files = await readdir(folder);
  const stats = await Promise.all(files.map((file) => stat(join(folder, file))));
  const bytes = stats.reduce((sum, { size }) => sum + size, 0);
  const newest = Math.max(...stats.map(({ mtimeMs }) => mtimeMs));
  return {
    ...{ file: folder, format: 'directory', bytes, fingerprint: `${bytes} ${newest} ${files.length}` },
    pgRestore: versionFor(await headOf(toc)),
  };
}

async function headOf(file: string): Promise<Buffer> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

function formatOf(head: Buffer): DumpFormat {
  const begins = (...bytes: readonly number[]): boolean => bytes.every((byte, at) => head[at] === byte);
  if (begins(0x1f, 0x8b)) return 'gzip';
  if (begins(0x28, 0xb5, 0x2f, 0xfd)) return 'zstd';
  if (head.subarray(0, 5).toString('latin1') === 'PGDMP') return 'custom';
  return 'plain';
}

function isTar(head: Buffer): boolean {
  return head.subarray(257, 262).toString('latin1') === 'ustar';
}

const ANY_RESTORE = 12;
/** Versions of the archive's form, and the releases of PostgreSQL that brought them: 1.14 with 12, 1.15 with 16, 1.16 with 17. */
const RELEASES: Readonly<Record<number, number>> = { 15: 16, 16: 17 };

/** The oldest major version of pg_restore that reads an archive with this head. */
export function versionFor(head: Buffer): number {
  const minor = head[6] ?? 0;
  return RELEASES[minor] ?? (minor > 16 ? 18 : ANY_RESTORE);
}

/**
 * Hands the dump as SQL to `read`, from its beginning to its end; nothing of it is kept. Throws Failure when it is cut or damaged,
 * or when a program is missing that reads its form.
 */
export async function readScript<T>(
  { file, format, pgRestore }: DumpSource,
  options: ReadOptions,
  read: (script: Readable) => Promise<T>,
): Promise<T> {
  if (format === 'plain') return read(streamOf(file, options));
  if (format === 'gzip') return through(file, options, zlib.createGunzip({ chunkSize: CHUNK_BYTES }), read);
  if (format === 'zstd') return readZstd(file, options, read);
  const { path } = await postgresProgram('pg_restore', pgRestore);
  const args = ['--file=-', `--format=${format}`, file];
  return byChild(file, { ...options, program: path, args, timeoutMs: READ_MS }, read);
}

/** A program that ends by itself could not read the file to its end. */
async function byChild<T>(file: string, call: ChildCall, read: (script: Readable) => Promise<T>): Promise<T> {
  try {
    return await readChild(call, read);
  } catch (error) {
    if (!(error instanceof ChildFailed) || error.exitCode === null) throw error;
    throw new Failure(`${file} cannot be read to its end: it is cut or damaged (${error.message})`, {
      cause: error,
    });
  }
}

function streamOf(file: string, { signal }: ReadOptions): Readable {
  return createReadStream(file, { highWaterMark: CHUNK_BYTES, ...(signal && { signal }) });
}

async function readZstd<T>(
  file: string,
  options: ReadOptions,
  read: (script: Readable) => Promise<T>,
): Promise<T> {
  const own = (zlib as { createZstdDecompress?: () => zlib.Gunzip }).createZstdDecompress;
  if (own !== undefined) return through(file, options, own(), read);
  const program = inPath('zstd');
  if (program === undefined)
    throw new Failure(
      `${file} is compressed by zstd: install the program zstd, or run this with Node 22.15 or newer, or unpack it`,
    );
  return byChild(file, { ...options, program, args: ['-dcq', '--', file], timeoutMs: READ_MS }, read);
}

/** The error of the unpacking comes first: what was read until then is a part. */
async function through<T>(
  file: string,
  options: ReadOptions,
  unpack: zlib.Gunzip,
  read: (script: Readable) => Promise<T>,
): Promise<T> {
  const script = new PassThrough({ highWaterMark: CHUNK_BYTES });
  const unpacked = pipeline(streamOf(file, options), unpack, script);
  const [taken, ended] = await Promise.allSettled([
    read(script).catch((error: unknown) => {
      script.destroy();
      throw error;
    }),
    unpacked,
  ]);
  if (options.signal?.aborted === true) throw new Failure('interrupted');
  if (ended.status === 'rejected' && !isClosedEarly(ended.reason))
    throw new Failure(`${file} cannot be unpacked: it is cut or damaged (${codeOf(ended.reason)})`, {
      cause: ended.reason,
    });
  if (taken.status === 'rejected') throw taken.reason;
  return taken.value;
}

function isClosedEarly(error: unknown): boolean {
  return codeOf(error) === 'ERR_STREAM_PREMATURE_CLOSE';
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}

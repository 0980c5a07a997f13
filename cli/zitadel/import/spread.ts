import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, type Writable } from 'node:stream';
import { readChild, runChild, type ChildCall } from '../../children/child.ts';
import type { Program } from '../../children/programs.ts';
import { Failure } from '../../failure.ts';

/** Rows from which a table is filled by several sessions at once: pg_restore gives each of its workers a whole table. */
const LARGE = 100_000;

/** The contents of an archive, as pg_restore lists them, in files for its --use-list. */
export interface Parts {
  /** One for each large table. */
  readonly large: readonly string[];
  readonly others: string;
}

/** Sorts the contents of an archive into files in `folder`; `tables`: rows by name. */
export async function partsOf(
  list: string,
  tables: ReadonlyMap<string, number>,
  folder: string,
): Promise<Parts> {
  const lines = list.split('\n').filter((line) => line !== '' && !line.startsWith(';'));
  const isLarge = (line: string): boolean => {
    const [, schema, name] = /^\d+; \d+ \d+ TABLE DATA (\S+) (\S+) /.exec(line) ?? [];
    return (tables.get(`${schema ?? ''}.${name ?? ''}`) ?? 0) >= LARGE;
  };
  const write = async (name: string, entries: readonly string[]): Promise<string> => {
    const file = join(folder, name);
    await writeFile(file, `${entries.join('\n')}\n`, { mode: 0o600 });
    return file;
  };
  const large = lines.filter(isLarge);
  return {
    large: await Promise.all(large.map((line, at) => write(`restore-${at + 1}.list`, [line]))),
    others: await write(
      'restore.list',
      lines.filter((line) => !large.includes(line)),
    ),
  };
}

export interface Spreading {
  /** Writes the data of one table, as pg_restore does to a file. */
  readonly script: ChildCall;
  readonly psql: Program;
  readonly load: Omit<ChildCall, 'program' | 'args' | 'input'>;
  readonly sessions: number;
}

const BUFFER_BYTES = 1024 * 1024;
const PSQL = ['--no-psqlrc', '--quiet', '--no-password', '--set=ON_ERROR_STOP=1', '--file=-'];

/** Fills one table by several sessions, each with a part of its rows. Throws ChildFailed of the first that fails; all have ended then. */
export async function fillTable({ script, psql, load, sessions }: Spreading): Promise<void> {
  await readChild(script, async (stdout) => {
    const sinks = Array.from({ length: sessions }, () => new PassThrough({ highWaterMark: BUFFER_BYTES }));
    const loads = sinks.map((input) => runChild({ ...load, program: psql.path, args: PSQL, input }));
    try {
      await Promise.all([spread(stdout as AsyncIterable<Buffer>, sinks), ...loads]);
    } catch (error) {
      for (const sink of sinks) sink.destroy(new Failure('another session has failed'));
      await Promise.allSettled(loads);
      throw error;
    }
  });
}

const LINE_FEED = 0x0a;
/** PostgreSQL manual, COPY, "Text Format": ends the data; no row is written so. */
const END = '\\.\n';
const COPY = /^COPY .+ FROM stdin;$/;
const SETTING = /^(?:SET |SELECT pg_catalog\.set_config\()/;

/**
 * Deals the rows of a script with the data of one table out, in turn, to sessions that begin as it does. What follows the data is left
 * out. Throws Failure when they do not end.
 */
export async function spread(script: AsyncIterable<Buffer>, sinks: readonly Writable[]): Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  let head: string | null = '';
  let [turn, isOver] = [0, false];
  for await (const chunk of script) {
    if (isOver) continue;
    let piece = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (head !== null && piece.includes(LINE_FEED)) {
      const at = piece.indexOf(LINE_FEED);
      const line = piece.toString('utf8', 0, at);
      piece = piece.subarray(at + 1);
      if (SETTING.test(line)) head += `${line}\n`;
      if (!COPY.test(line)) continue;
      for (const sink of sinks) sink.write(`${head}${line}\n`);
      head = null;
    }
    const end = head === null ? endIn(piece) : -1;
    isOver = end !== -1;
    const rows =
      head === null
        ? piece.subarray(0, isOver ? end : piece.lastIndexOf(LINE_FEED) + 1)
        : piece.subarray(0, 0);
    rest = piece.subarray(rows.length);
    const sink = sinks[turn % sinks.length];
    if (rows.length === 0 || sink === undefined) continue;
    turn += 1;
    if (sink.writableNeedDrain) await once(sink, 'drain');
    sink.write(rows);
  }
  if (!isOver) throw new Failure('the data of a table end early');
  for (const sink of sinks) sink.end(END);
}

/** Where the data end, in a piece that begins with a line; -1: later. */
function endIn(piece: Buffer): number {
  if (piece.indexOf(END) === 0) return 0;
  const at = piece.indexOf(`\n${END}`);
  return at === -1 ? -1 : at + 1;
}

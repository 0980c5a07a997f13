import { open, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import * as z from 'zod';
import { messageOf } from '../../../shared/errors.ts';
import { sql, type Database } from '../../../shared/ports/database.ts';
import { systemFault } from '../../../shared/system-errors.ts';
import { readChild } from '../../children/child.ts';
import { postgresProgram } from '../../children/programs.ts';
import { Failure } from '../../failure.ts';
import { splitLines } from '../../fga/lines.ts';
import { openDump, READ_MS, readScript, versionFor } from '../../zitadel/dump/source.ts';
import type { GateLine } from './gate.ts';
import { cutIn, isTar } from './tar.ts';

const TABLES = ['tenants', 'users', 'sessions'] as const;
const DAY_MS = 86_400_000;
/** Clocks of two machines are apart by this much at most. */
const SKEW_MS = 300_000;

/** A dump of pg_dump, read to its end. */
interface Dump {
  /** Rows by table; a table without data is absent. */
  readonly rows: ReadonlyMap<string, number>;
  readonly hashes: boolean;
  readonly complete: boolean;
}

/**
 * Whether `file` is a backup to fall back on: less than a day old by the database's clock, whole, and with the data of tenants, users and
 * sessions, of users at least those who were there a day ago. pg_dump's forms: plain SQL (gzip too), custom, tar, directory.
 */
export async function judgeBackup(
  file: string | undefined,
  database: Pick<Database, 'query'>,
): Promise<GateLine> {
  if (file === undefined)
    return backupLine('none is named: --backup FILE, a dump of pg_dump younger than a day');
  try {
    return backupLine(await faultOf(file, database), file);
  } catch (error) {
    const why = systemFault(error) ?? messageOf(error);
    return backupLine(why.includes(file) ? why : `${file}: ${why}`);
  }
}

export function backupLine(fault: string | undefined, file?: string): GateLine {
  const ok = fault === undefined;
  const says = fault ?? `${file ?? 'it'} is whole and younger than a day`;
  return { name: 'backup', ok, missing: ok ? 0 : 1, says: `backup: ${says}`, examples: [] };
}

const Now = z.object({ now: z.date(), users: z.number(), schema: z.string() });

async function faultOf(file: string, database: Pick<Database, 'query'>): Promise<string | undefined> {
  const [row] = await database.query(
    sql`select now() as now, (select count(*) from users where created_at < now() - interval '1 day')::int as users,
          (select relnamespace::regnamespace::text from pg_class where oid = 'users'::regclass) as schema`,
    Now,
  );
  if (row === undefined) throw new Error('the database has no clock');
  const { mtime, size } = await stat(file);
  const age = row.now.getTime() - mtime.getTime();
  if (age >= DAY_MS) return `${file} is of ${mtime.toISOString()}: older than a day`;
  if (age < -SKEW_MS)
    return `${file} is of ${mtime.toISOString()}, which is yet to come by the clock of the database`;
  if (size === 0) return `${file} is empty`;
  const dump = await read(file, row.schema);
  if (!dump.complete) return `${file} ends before the dump does, or is none of pg_dump`;
  const missing = TABLES.filter((table) => !dump.rows.has(table));
  if (missing.length > 0) return `${file} has no data of ${missing.join(', ')}`;
  if (!dump.hashes) return `${file} has no password_hash of users`;
  const users = dump.rows.get('users') ?? 0;
  if (users < row.users)
    return `${file} has ${users} users, and ${row.users} were there a day ago: it is of another database, or of a part`;
  return undefined;
}

/** All of it is read, so that a cut or a flipped bit in compressed data is found. */
async function read(file: string, schema: string): Promise<Dump> {
  const counted = (script: Readable): Promise<Dump> => countScript(script, schema);
  const head = await headOf(file);
  if (!isTar(head)) return readScript(await openDump(file), { stallMs: STALL_MS }, counted);
  const cut = await cutIn(file);
  if (cut !== undefined) throw new Failure(`it is a tar that is cut off: ${cut}`);
  const { path } = await postgresProgram('pg_restore', versionFor(head.subarray(TAR_BLOCK)));
  return readChild(
    {
      program: path,
      args: ['--file=-', '--format=tar', '--', file],
      timeoutMs: READ_MS,
      stallMs: STALL_MS,
    },
    counted,
  );
}

/** pg_restore writes as it reads: without a byte for so long it is stuck. */
const STALL_MS = 600_000;
/** In a tar the head of the archive follows the first header. */
const TAR_BLOCK = 512;

/** Empty for a folder. */
async function headOf(file: string): Promise<Buffer> {
  if ((await stat(file)).isDirectory()) return Buffer.alloc(0);
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2 * TAR_BLOCK), 0, 2 * TAR_BLOCK, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

const COPY = /^COPY (?:("?[^"\s.]+"?)\.)?"?([^"\s.(]+)"? \(([^)]*)\) FROM stdin;$/;
const INSERT = /^INSERT INTO (?:("?[^"\s.]+"?)\.)?"?([^"\s.(]+)"? (?:\(([^)]*)\) )?VALUES( \(|$)/;
/** pg_dump's heading of a table's data, there for one without rows too. */
const HEADING = /^-- (?:Data for )?Name: ([^;\s]+); Type: TABLE DATA; Schema: ([^;\s]+);/;
const END = '-- PostgreSQL database dump complete';

/** Counts rows of one schema without keeping any. */
async function countScript(source: Readable, schema: string): Promise<Dump> {
  const rows = new Map<string, number>();
  const bare = schema.replaceAll('"', '');
  const add = (of: string | undefined, table: string, more: number): void => {
    if ((of ?? bare).replaceAll('"', '') === bare) rows.set(table, (rows.get(table) ?? 0) + more);
  };
  /** The table whose rows follow, a line each. */
  let open: { readonly of: string | undefined; readonly table: string; readonly copied: boolean } | undefined;
  let hashes = false;
  let complete = false;
  for await (const line of splitLines(source.setEncoding('utf8') as AsyncIterable<string>)) {
    if (open?.copied === true) {
      if (line === '\\.') open = undefined;
      else add(open.of, open.table, 1);
      continue;
    }
    if (open !== undefined && line.startsWith('\t(')) add(open.of, open.table, 1);
    const copy = COPY.exec(line);
    const [, of, table, columns, first] = copy ?? INSERT.exec(line) ?? [];
    if (table === undefined) {
      complete ||= line === END;
      if (line.startsWith('--')) open = undefined;
      const [, headed, within] = HEADING.exec(line) ?? [];
      if (headed !== undefined) add(within, headed, 0);
      continue;
    }
    open = copy === null && first !== '' ? undefined : { of, table, copied: copy !== null };
    add(of, table, open === undefined ? 1 : 0);
    // Without a list of columns every column is there.
    if (table === 'users' && (of ?? bare).replaceAll('"', '') === bare)
      hashes ||= (columns ?? 'password_hash').includes('password_hash');
  }
  return { rows, hashes, complete: complete && open?.copied !== true };
}

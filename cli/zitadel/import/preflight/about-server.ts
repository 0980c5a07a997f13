import { existsSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import * as z from 'zod';
import { sql } from '../../../../shared/ports/database.ts';
import { postgresProgram } from '../../../children/programs.ts';
import {
  availableExtensions,
  describeHolder,
  ownRole,
  rolesAmong,
  sessionsOf,
  type Role,
  type Server,
} from '../server.ts';
import { sizeOf } from '../size.ts';
import type { Check, Preflight } from './check.ts';

/** Every right that lacks, each with the statement that grants it. */
export async function rights({ dump, server, former, state, owner }: Preflight): Promise<Check> {
  const role = await ownRole(server);
  const owners = [...new Set([...dump.owners, ...(owner === '' ? [] : [owner])])];
  const wanted = [...new Set([...dump.roles, ...owners, ...(former === undefined ? [] : [former.owner])])];
  const there = new Map((await rolesAmong(server, wanted)).map(({ name, member }) => [name, member]));
  const missing = wanted.filter((name) => !there.has(name));
  const faults = [
    ...missing.map(
      (name) => `there is no role ${name}, which the dump names (create role ${quoted(name)} login;)`,
    ),
    ...(owner === ''
      ? [
          'the dump was made with --no-owner, and nothing says who shall own it: make the database, with its owner, first',
        ]
      : []),
    ...(role.superuser
      ? []
      : lackedBy(role, { owners, former, state, isMember: (name) => there.get(name) !== false })),
  ];
  if (faults.length === 0)
    return { name: 'rights', verdict: 'ok', says: `${role.name}${role.superuser ? ', superuser' : ''}` };
  return { name: 'rights', verdict: 'no', says: `${faults.join('; ')}. A superuser has all of these rights` };
}

interface Needs extends Pick<Preflight, 'former' | 'state'> {
  readonly owners: readonly string[];
  readonly isMember: (role: string) => boolean;
}

/** Of a role that is no superuser. */
function lackedBy(
  { name, createDatabase }: Role,
  { owners, former, state, isMember }: Needs,
): readonly string[] {
  const foreign = owners.filter((owner) => !isMember(owner));
  return [
    ...(createDatabase
      ? []
      : [`${name} may not create and drop databases (alter role ${quoted(name)} createdb;)`]),
    ...foreign.map(
      (owner) =>
        `${name} is no member of ${owner}, whose things it has to make (grant ${quoted(owner)} to ${quoted(name)};)`,
    ),
    ...(former === undefined || isMember(former.owner)
      ? []
      : [
          `${name} may not rename ${former.name}, which belongs to ${former.owner} (grant ${quoted(former.owner)} to ${quoted(name)};)`,
        ]),
    ...(state?.isReadable === false
      ? [
          `${name} may not read ${former?.name ?? ''}, so that it cannot be backed up (grant pg_read_all_data to ${quoted(name)};)`,
        ]
      : []),
  ];
}

/** As it is written in a statement. */
function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

export async function extensions({ dump, server }: Preflight): Promise<Check> {
  const available = await availableExtensions(server);
  const missing = dump.extensions.filter((name) => !available.has(name));
  const name = 'extensions';
  if (missing.length > 0)
    return { name, verdict: 'no', says: `the server does not have ${missing.join(', ')}` };
  return { name, verdict: 'ok', says: dump.extensions.length === 0 ? 'none' : dump.extensions.join(', ') };
}

/** Throws Failure where one is missing: nothing goes on without. */
export async function programs({ dump, server }: Preflight): Promise<Check> {
  const archive = dump.source.pgRestore > 0;
  const psql = await postgresProgram('psql', server.major);
  const dumper = await postgresProgram('pg_dump', server.major);
  // The backup is read back.
  const least = archive ? Math.max(dump.source.pgRestore, server.major) : dumper.major;
  const restore = await postgresProgram('pg_restore', least);
  return {
    name: 'programs',
    verdict: 'ok',
    says: `psql ${psql.version}, pg_dump ${dumper.version}, pg_restore ${restore.version}`,
  };
}

/** Of the rows in a dump: a copy with its indexes has about five times as many bytes, and never less than these. */
const GROWTH = { usual: 5, least: 1.5 };
/** Of a database: its backup, which is compressed and without indexes, has less than its size, and hardly less than this part. */
const BACKUP = { most: 1, least: 0.05 };

export async function disk({ dump, server, former, backupDir }: Preflight): Promise<Check> {
  const size = former?.bytes ?? 0;
  const folder = await dataFolder(server);
  const spaces = [
    {
      where: 'BACKUP_DIR',
      free: await freeAt(nearest(resolve(backupDir))),
      most: size * BACKUP.most,
      least: size * BACKUP.least,
    },
    {
      where: "the server's disk",
      free: folder === null ? null : await freeAt(folder),
      most: dump.scriptBytes * GROWTH.usual,
      least: dump.scriptBytes * GROWTH.least,
    },
  ];
  const says = spaces.map(({ where, free, most }) =>
    free === null
      ? `${where} is not seen from here, and needs about ${sizeOf(most)}`
      : `${where} has ${sizeOf(free)} free, and needs up to ${sizeOf(most)}`,
  );
  const lacks = spaces.some(({ free, least }) => free !== null && free < least);
  const isTight = spaces.some(({ free, most }) => free === null || free < most);
  return { name: 'disk', verdict: lacks ? 'no' : isTight ? 'warning' : 'ok', says: says.join('; ') };
}

/** Where BACKUP_DIR does not exist yet, the folder in which it will be made. */
function nearest(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearest(dirname(folder));
}

/** Bytes that this user may write; null where it cannot be seen. */
async function freeAt(folder: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    return null;
  }
}

/** Null for a server on another machine, and where the role or this user may not know. */
async function dataFolder({ session }: Server): Promise<string | null> {
  try {
    const [row] = await session.query(
      sql`select current_setting('data_directory') as folder, pg_read_file('postmaster.pid') as process`,
      z.object({ folder: z.string(), process: z.string() }),
    );
    if (row === undefined) return null;
    return (await readFile(join(row.folder, 'postmaster.pid'), 'utf8')) === row.process ? row.folder : null;
  } catch {
    return null;
  }
}

export async function connections({ server, former }: Preflight): Promise<Check> {
  const name = 'connections';
  if (former === undefined) return { name, verdict: 'ok', says: 'none' };
  const holders = await sessionsOf(server, [former.name]);
  if (holders.length === 0) return { name, verdict: 'ok', says: `nobody is connected to ${former.name}` };
  const shown = holders.slice(0, 5).map(describeHolder).join(', ');
  const more = holders.length > 5 ? ` and ${holders.length - 5} more` : '';
  return { name, verdict: 'warning', says: `these have to end before the swap: ${shown}${more}` };
}

import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { identifier, sql } from '../../shared/ports/database.ts';
import { runChild } from '../children/child.ts';
import { connectionTo, postgresVariables } from '../children/postgres.ts';
import { postgresProgram } from '../children/programs.ts';
import { Failure } from '../failure.ts';
import { interruption } from '../terminal.ts';
import { openServer, ownRole, rolesAmong, serverFailure, type Server } from '../zitadel/import/server.ts';
import { APPLICATION, assertRows, inDatabase, LONGEST_MS, shownOf, type Target } from './database.ts';
import { readPart, type Seal } from './file.ts';
import type { DatabasePart } from './layout.ts';

const MOST_JOBS = 4;
/** Bytes of a dump below which more workers cost more than they bring. */
const SMALL = 1_000_000;

/** Work on the server itself, beside its databases. Throws Failure with the address. */
export async function onServer<T>(target: Target, work: (server: Server) => Promise<T>): Promise<T> {
  const server = await openServer(target.url, target.variable);
  try {
    return await work(server);
  } catch (error) {
    throw serverFailure(error, shownOf(target), target.variable);
  } finally {
    await server.close().catch(() => undefined);
  }
}

export interface Rebuilding {
  readonly target: Target;
  readonly part: DatabasePart;
  readonly folder: string;
  readonly seal: Seal | null;
  /** Of the database to make, which must not exist. */
  readonly database: string;
  /** Its owner; null: whoever connects owns everything, and grants are left out. */
  readonly owner: string | null;
  readonly log: (line: string) => void;
  readonly onStart: (pid: number) => void;
}

/** Makes a database of a dump and counts its rows. Throws Failure where anything is refused, or a table has not its rows. */
export async function rebuild(work: Rebuilding): Promise<void> {
  const { target, part, database, owner } = work;
  const major = await onServer(target, async ({ session, major }) => {
    const name = identifier(database);
    await session.execute(
      owner === null
        ? sql`create database ${name} template template0 encoding 'UTF8'`
        : sql`create database ${name} owner ${identifier(owner)} template template0 encoding 'UTF8'`,
    );
    for (const setting of part.settings) await session.script(alterDatabase(database, setting));
    return major;
  });
  await restoreInto(work, Math.max(major, part.client));
  await assertRows(inDatabase(target, database), part);
}

async function restoreInto(work: Rebuilding, least: number): Promise<void> {
  const { target, part, folder, seal, database, owner, log, onStart } = work;
  const program = await postgresProgram('pg_restore', least);
  // A stream can be read once, in its order: several workers need the file.
  const jobs = part.bytes < SMALL ? 1 : Math.min(MOST_JOBS, availableParallelism());
  const parallel = seal === null ? [`--jobs=${jobs}`, join(folder, part.file)] : [];
  const anonymous = owner === null ? ['--no-owner', '--no-privileges'] : [];
  await runChild({
    program: program.path,
    args: [
      '--exit-on-error',
      '--no-password',
      ...anonymous,
      `--dbname=${connectionTo(database)}`,
      ...parallel,
    ],
    variables: postgresVariables(target.url, target.variable, { applicationName: APPLICATION, database }),
    timeoutMs: LONGEST_MS,
    signal: interruption(),
    log,
    onStart,
    input: seal === null ? undefined : readPart(folder, part.file, seal),
  });
}

/** Settings that are lists of names, which Postgres keeps quoted as they have to be written. */
const LISTS = ['search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries'];
const LIST = /^[\w$", .-]+$/;

/** Throws Failure for a setting that no server keeps so. */
function alterDatabase(database: string, setting: string): string {
  const at = setting.indexOf('=');
  const [name, value] = [setting.slice(0, at), setting.slice(at + 1)];
  const isList = LISTS.includes(name) && value !== '';
  if (!/^[\w.]+$/.test(name) || (isList && !LIST.test(value)))
    throw new Failure(`the manifest has a setting that is none: ${setting}`);
  const quoted = `"${database.replaceAll('"', '""')}"`;
  return `alter database ${quoted} set ${name} to ${isList ? value : `'${value.replaceAll("'", "''")}'`}`;
}

/** What the connecting role lacks to make databases whose objects belong to `roles`: sentences with the remedy. */
export function lackingRights(target: Target, roles: readonly string[]): Promise<readonly string[]> {
  return onServer(target, async (server) => {
    const me = await ownRole(server);
    const known = await rolesAmong(server, roles);
    const missing = roles.filter((role) => !known.some(({ name }) => name === role));
    return [
      ...(me.superuser || me.createDatabase
        ? []
        : [`role ${me.name} may not create databases: alter role "${me.name}" createdb`]),
      ...missing.map((role) => `there is no role ${role}: create role "${role}" login password '…'`),
      ...known
        .filter(({ member }) => !member)
        .map(({ name }) => `role ${me.name} may not act for ${name}: grant "${name}" to "${me.name}"`),
    ].map((line) => `${target.variable} (${server.shown}): ${line}`);
  });
}

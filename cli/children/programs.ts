import { accessSync, constants, existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { Failure } from '../failure.ts';
import { environment } from '../terminal.ts';
import { runChild } from './child.ts';

export type PostgresProgram = 'pg_dump' | 'pg_restore' | 'psql';

export interface Program {
  readonly path: string;
  /** As in 17; before PostgreSQL 10 the first number alone. */
  readonly major: number;
  /** As in 17.4. */
  readonly version: string;
}

/** Debian keeps the programs of each version in a folder of its own; those in PATH are of the newest. */
const DEBIAN = '/usr/lib/postgresql';
/** What Debian has in PATH: it looks for a cluster, and calls one of the programs in those folders. */
const WRAPPER = 'pg_wrapper';
const VERSION_MS = 10_000;
/** As in `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, `17devel`, `18beta1`. */
const VERSION = /\(PostgreSQL\) ((\d+)(?:\.\d+|devel|beta\d+|rc\d+)?)/;

/**
 * The program whose major version is `least` or as little above it as there is: older ones refuse a newer server or archive, and
 * newer ones write settings that an older server refuses. Throws Failure when there is none.
 */
export async function postgresProgram(name: PostgresProgram, least: number): Promise<Program> {
  const usable = await installed(name);
  const chosen = usable.find(({ major }) => major >= least);
  if (chosen !== undefined) return chosen;
  const newest = usable.at(-1);
  const here = newest === undefined ? 'is not installed here' : `is here as ${newest.version} at most`;
  throw new Failure(
    `${name} of PostgreSQL ${least} or newer is needed, and ${here}: install the client programs (on Debian postgresql-client-${least})`,
  );
}

const found = new Map<PostgresProgram, Promise<readonly Program[]>>();

/** By their versions, the oldest major first. Asked once. */
function installed(name: PostgresProgram): Promise<readonly Program[]> {
  const before = found.get(name);
  if (before !== undefined) return before;
  const asked = Promise.all(candidates(name).map((path) => programAt(path))).then((all) =>
    all
      .filter((each) => each !== undefined)
      .sort((one, other) => one.major - other.major || compareVersions(other.version, one.version)),
  );
  found.set(name, asked);
  return asked;
}

/** The first program of this name in PATH; undefined where there is none. */
export function inPath(name: string): string | undefined {
  return pathFolders()
    .map((folder) => join(folder, name))
    .find(isProgram);
}

function candidates(name: PostgresProgram): readonly string[] {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN) : [];
  const folders = [...versions.map((version) => join(DEBIAN, version, 'bin')), ...pathFolders()];
  const programs = folders.map((folder) => join(folder, name)).filter(isProgram);
  return [...new Set(programs.map((path) => realpathSync(path)))].filter(
    (path) => basename(path) !== WRAPPER,
  );
}

function pathFolders(): readonly string[] {
  return (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Undefined where it does not run, or is no program of PostgreSQL. */
async function programAt(path: string): Promise<Program | undefined> {
  const said = await runChild({ program: path, args: ['--version'], timeoutMs: VERSION_MS }).catch(() => '');
  const [, version, major] = VERSION.exec(said) ?? [];
  return version === undefined ? undefined : { path, version, major: Number(major) };
}

function compareVersions(one: string, other: string): number {
  return one.localeCompare(other, 'en', { numeric: true });
}

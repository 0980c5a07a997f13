import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { median, ratios, verdict } from '../figures.ts';
import { race, timed, type Laps, type Side } from '../lifecycle/sides.ts';
import { path } from '../programs.ts';
import type { Measured, OperationsOptions } from '../sections/operations.ts';
import { postgresFolder, startPostgresServer, type PostgresServer } from '../servers/stores.ts';
import { EVENTS_OF_USER, fillZitadel } from './zitadel-people.ts';

const run = promisify(execFile);
/** Share of `--users`: each turn restores all of them, several times a round. */
const SHARE = 0.1;
const LEAST = 1_000;

interface Bench {
  /** Of Postgres' programs. */
  readonly folder: string;
  readonly postgres: PostgresServer;
  readonly files: string;
  readonly people: number;
  /** The command line as it is shipped. */
  readonly sallyport: string;
}

/** An import, with all that it proves beside the restore, in units of `psql -f` on the same plain dump. */
export async function measureImport({ rounds, users }: OperationsOptions): Promise<Measured | string> {
  const folder = postgresFolder();
  if (folder === undefined) return 'no Postgres is installed';
  const postgres = await startPostgresServer(folder);
  const files = await mkdtemp(join(tmpdir(), 'sallyport-bench-import-'));
  try {
    const people = Math.max(LEAST, Math.round(users * SHARE));
    const program = path('dist/bench/import');
    await run(process.execPath, [path('scripts/build.mjs'), program], { cwd: path('.') });
    const bench: Bench = { folder, postgres, files, people, sallyport: join(program, 'sallyport.js') };
    await dumpAll(bench);
    const laps = await race<string>(
      [
        [BASE, byPsql(bench)],
        ['pg_restore --jobs', byPgRestore(bench)],
        ['import, custom format', imported(bench, 'custom')],
        ['import, directory format', imported(bench, 'directory')],
        ['import, plain SQL', imported(bench, 'plain')],
      ],
      rounds,
    );
    return resultOf(laps, people);
  } finally {
    await postgres.stop();
    await rm(files, { recursive: true, force: true });
  }
}

const BASE = 'psql -f';
const FORMATS = ['plain', 'custom', 'directory'] as const;
type Format = (typeof FORMATS)[number];

function resultOf(laps: Laps<string>, people: number): Measured {
  const base = laps.get(BASE) ?? [];
  const goal = (name: string, atLeast: number) =>
    verdict(`${name}: speed of psql -f`, ratios(base, laps.get(name) ?? []), { atLeast });
  const rows = [...laps].map(([name, all]) => [
    name,
    (median(all) / 1_000).toFixed(2),
    (median(all) / median(base)).toFixed(2),
  ]);
  return {
    tables: [
      {
        title: `Import of a Zitadel with ${people} users and ${people * EVENTS_OF_USER} events`,
        columns: ['by', 'seconds', `of ${BASE}`],
        rows,
      },
    ],
    verdicts: [
      goal('import, custom format', 2),
      goal('import, directory format', 2),
      goal('import, plain SQL', 0.95),
    ],
  };
}

async function dumpAll(bench: Bench): Promise<void> {
  const url = bench.postgres.createDatabase('source');
  fillZitadel(bench.folder, url, bench.people);
  for (const format of FORMATS)
    await run(join(bench.folder, 'pg_dump'), [`--format=${format}`, `--file=${fileOf(bench, format)}`, url]);
  await psqlOn(bench, url.replace(/\/source$/, '/postgres'), ['-c', 'drop database source']);
}

function fileOf({ files }: Bench, format: Format): string {
  return join(files, `dump.${format}`);
}

async function psqlOn({ folder }: Bench, url: string, args: readonly string[]): Promise<void> {
  await run(join(folder, 'psql'), ['-Xq', '-v', 'ON_ERROR_STOP=1', ...args, url]);
}

let turns = 0;

/** A new database, empty as a target is that was just made; it goes after the turn. */
async function onTarget(bench: Bench, work: (url: string) => Promise<void>): Promise<number> {
  turns += 1;
  const name = `target_${turns}`;
  const url = bench.postgres.createDatabase(name);
  const ms = await timed(() => work(url));
  await psqlOn(bench, url.replace(`/${name}`, '/postgres'), ['-c', `drop database ${name}`]);
  return ms;
}

function byPsql(bench: Bench): Side {
  return () => onTarget(bench, (url) => psqlOn(bench, url, ['-f', fileOf(bench, 'plain')]));
}

/** What an import of a custom dump cannot be faster than. */
function byPgRestore(bench: Bench): Side {
  const { folder } = bench;
  const jobs = `--jobs=${availableParallelism()}`;
  return () =>
    onTarget(bench, async (url) => {
      await run(join(folder, 'pg_restore'), [jobs, `--dbname=${url}`, fileOf(bench, 'custom')]);
    });
}

function imported(bench: Bench, format: Format): Side {
  const env = { PATH: process.env['PATH'] ?? '', BACKUP_DIR: join(bench.files, 'backups') };
  const args = ['--env-file=/dev/null', 'zitadel', 'import'];
  return async () => {
    let target = '';
    const ms = await onTarget(bench, async (url) => {
      target = url;
      const options = [fileOf(bench, format), '--to', 'postgres', '--yes'];
      await run(process.execPath, [bench.sallyport, ...args, ...options], {
        env: { ...env, ZITADEL_DATABASE_URL: url },
      });
    });
    await run(process.execPath, [bench.sallyport, ...args, 'finish', '--yes'], {
      env: { ...env, ZITADEL_DATABASE_URL: target },
    });
    return ms;
  };
}

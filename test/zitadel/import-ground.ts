import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { postgresBinaries, sharedPostgres, type PostgresService } from '../services/postgres.ts';
import { sallyport, type Variables } from '../support/sallyport.ts';
import { MASTERKEY, smallZitadel, type SmallZitadel } from './small-database.ts';

const run = promisify(execFile);

export type Format = 'plain' | 'gzip' | 'zstd' | 'custom' | 'directory' | 'tar';

/** Databases on the server of this process, a role `zitadel`, and a folder for dumps and BACKUP_DIR. */
export interface ImportGround {
  readonly postgres: PostgresService;
  readonly folder: string;
  /** Of what a command needs; the target is the database `zitadel` unless another is named. */
  variables(target?: string): Variables;
  /** Of the maintenance database, tuples only, unaligned. */
  query(statement: string, database?: string): Promise<string>;
  /** A new database of this name; an old one of that name goes. */
  make(name: string, small?: SmallZitadel): Promise<void>;
  /** Removes whatever is there beside `zitadel`, and makes that anew. */
  reset(small: SmallZitadel): Promise<void>;
  /** A dump of such a database, in a file that the test may change. */
  dump(format: Format, small?: SmallZitadel, ...options: readonly string[]): Promise<string>;
  /** `sallyport zitadel import …` */
  import(variables: Variables, ...args: readonly string[]): ReturnType<typeof sallyport>;
  /** Databases whose names begin with that of the target. */
  databases(target?: string): Promise<readonly string[]>;
  /** Login names in a database, joined: what tells the databases of a test apart. */
  people(database?: string): Promise<string>;
  close(): Promise<void>;
}

/** Of every file of tests in this process: templates that databases are copied from, by what they hold, and dumps of them. */
const templates = new Map<string, Promise<string>>();
const dumps = new Map<string, Promise<string>>();
let files = 0;

export async function openImportGround(): Promise<ImportGround> {
  const postgres = await sharedPostgres();
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-import-'));
  const urlOf = (database: string): string => postgres.url.replace(/\/postgres$/, `/${database}`);
  const query = async (statement: string, database = 'postgres'): Promise<string> => {
    const args = ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-c', statement, urlOf(database)];
    return (await run(join(postgresBinaries, 'psql'), args)).stdout.trim();
  };
  await query('do $$ begin create role zitadel login; exception when duplicate_object then null; end $$');
  const template = (small: SmallZitadel): Promise<string> =>
    once(templates, JSON.stringify(small), async () => {
      const name = `template_${templates.size}`;
      const script = join(folder, `${name}.sql`);
      await writeFile(script, `set role zitadel;\n${smallZitadel(small)}`);
      await query(`create database ${name} owner zitadel`);
      await run(join(postgresBinaries, 'psql'), [
        '-XAtq',
        '-v',
        'ON_ERROR_STOP=1',
        '-f',
        script,
        urlOf(name),
      ]);
      return name;
    });
  const make = async (name: string, small: SmallZitadel = {}): Promise<void> => {
    const from = await template(small);
    await query(`drop database if exists ${name} with (force)`);
    await query(`create database ${name} owner zitadel template ${from} strategy file_copy`);
  };
  const databases = async (target = 'zitadel'): Promise<readonly string[]> => {
    const rows = await query(`select datname from pg_database where datname like '${target}%' order by 1`);
    return rows.split('\n').filter((name) => name !== '');
  };
  const removeAll = async (): Promise<void> => {
    for (const name of await databases())
      await query(`drop database "${name.replaceAll('"', '""')}" with (force)`);
  };
  return {
    ...{ postgres, folder, query, make, databases },
    variables: (target = 'zitadel') => ({
      ZITADEL_DATABASE_URL: urlOf(target),
      ZITADEL_MASTERKEY: MASTERKEY,
      ZITADEL_EXTERNALDOMAIN: 'localhost',
      BACKUP_DIR: join(folder, 'backups'),
    }),
    async reset(small) {
      await removeAll();
      await make('zitadel', small);
    },
    async dump(format, small = {}, ...options) {
      const kept = await once(dumps, JSON.stringify([format, small, options]), async () => {
        const file = join(await keptFiles(), `${dumps.size}.${format}`);
        await dumpTo(file, format, [...options, urlOf(await template(small))]);
        return file;
      });
      files += 1;
      const file = join(folder, `dump-${files}.${format}`);
      await cp(kept, file, { recursive: true });
      return file;
    },
    import: (variables, ...args) => sallyport(variables, 'zitadel', 'import', ...args),
    people: (database = 'zitadel') =>
      query(
        `select string_agg(split_part(username, E'\\t', 1), ',' order by id) from projections.users14`,
        database,
      ),
    async close() {
      await removeAll();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function once<T>(made: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const before = made.get(key);
  if (before !== undefined) return before;
  const now = make();
  made.set(key, now);
  return now;
}

let keeping: Promise<string> | undefined;

/** Until the process ends. */
function keptFiles(): Promise<string> {
  keeping ??= mkdtemp(join(tmpdir(), 'sallyport-dumps-')).then((folder) => {
    process.once('exit', () => {
      rmSync(folder, { recursive: true, force: true });
    });
    return folder;
  });
  return keeping;
}

async function dumpTo(file: string, format: Format, args: readonly string[]): Promise<void> {
  const pgDump = join(postgresBinaries, 'pg_dump');
  if (format === 'custom' || format === 'directory' || format === 'tar') {
    await run(pgDump, [`--format=${format}`, `--file=${file}`, ...args]);
    return;
  }
  const plain = `${file}.sql`;
  await run(pgDump, [`--file=${plain}`, ...args]);
  if (format === 'plain') await run('mv', [plain, file]);
  else if (format === 'zstd') await run('zstd', ['-q', '--rm', plain, '-o', file]);
  else await run('gzip', ['-n', '-S', '.packed', plain]).then(() => run('mv', [`${plain}.packed`, file]));
}

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { postgresBinaries, startPostgres, type PostgresService } from '../services/postgres.ts';
import { sallyport, type Variables } from '../support/sallyport.ts';
import { MASTERKEY, smallZitadel, type SmallZitadel } from './small-database.ts';

const run = promisify(execFile);

export type Format = 'plain' | 'gzip' | 'zstd' | 'custom' | 'directory' | 'tar';

/** A Postgres of its own with a role `zitadel`, and a folder for dumps and BACKUP_DIR. */
export interface ImportGround {
  readonly postgres: PostgresService;
  readonly folder: string;
  /** Of what a command needs; the target is the database `zitadel` unless another is named. */
  variables(target?: string): Variables;
  /** Of the maintenance database, tuples only, unaligned. */
  query(statement: string, database?: string): Promise<string>;
  /** A new database of this name; an old one of that name goes. */
  make(name: string, small?: SmallZitadel): Promise<void>;
  /** A dump of such a database. */
  dump(format: Format, small?: SmallZitadel, ...options: readonly string[]): Promise<string>;
  /** `sallyport zitadel import …` */
  import(variables: Variables, ...args: readonly string[]): ReturnType<typeof sallyport>;
  /** Databases whose names begin with that of the target. */
  databases(target?: string): Promise<readonly string[]>;
  /** Login names in a database, joined: what tells the databases of a test apart. */
  people(database?: string): Promise<string>;
  close(): Promise<void>;
}

let dumps = 0;

export async function openImportGround(): Promise<ImportGround> {
  const postgres = await startPostgres();
  if (postgres === undefined) throw new Error('no Postgres is installed');
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-import-'));
  const urlOf = (database: string): string => postgres.url.replace(/\/postgres$/, `/${database}`);
  const program = (name: string): string => join(postgresBinaries, name);
  const psql = async (database: string, args: readonly string[]): Promise<string> => {
    const { stdout } = await run(program('psql'), [
      '-XAtq',
      '-v',
      'ON_ERROR_STOP=1',
      ...args,
      urlOf(database),
    ]);
    return stdout.trim();
  };
  await psql('postgres', ['-c', 'create role zitadel login']);
  const make = async (name: string, small: SmallZitadel = {}): Promise<void> => {
    const script = join(folder, `${name}.make.sql`);
    await writeFile(script, `set role zitadel;\n${smallZitadel(small)}`);
    await psql('postgres', ['-c', `drop database if exists ${name} with (force)`]);
    await psql('postgres', ['-c', `create database ${name} owner zitadel`]);
    await psql(name, ['-f', script]);
  };
  return {
    postgres,
    folder,
    variables: (target = 'zitadel') => ({
      ZITADEL_DATABASE_URL: urlOf(target),
      ZITADEL_MASTERKEY: MASTERKEY,
      ZITADEL_EXTERNALDOMAIN: 'localhost',
      BACKUP_DIR: join(folder, 'backups'),
    }),
    query: (statement, database = 'postgres') => psql(database, ['-c', statement]),
    make,
    async dump(format, small = {}, ...options) {
      dumps += 1;
      const source = `source_${dumps}`;
      await make(source, small);
      const file = join(folder, `dump-${dumps}.${format}`);
      await dumpTo(file, format, [...options, urlOf(source)]);
      await psql('postgres', ['-c', `drop database ${source}`]);
      return file;
    },
    import: (variables, ...args) => sallyport(variables, 'zitadel', 'import', ...args),
    databases: async (target = 'zitadel') => {
      const rows = await psql('postgres', [
        '-c',
        `select datname from pg_database where datname like '${target}%' order by 1`,
      ]);
      return rows.split('\n').filter((name) => name !== '');
    },
    people: (database = 'zitadel') =>
      psql(database, [
        '-c',
        `select string_agg(split_part(username, E'\\t', 1), ',' order by id) from projections.users14`,
      ]),
    async close() {
      await postgres.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
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

import { execFile, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client } from 'pg';
import type { MigrateOptions } from '../../cli/db/migrate.ts';
import { postgresBinaries } from '../services/postgres.ts';
import { sallyport, spawnSallyport } from '../support/sallyport.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const MIGRATIONS = join(ROOT, 'migrations');
const LEGACY = fileURLToPath(new URL('legacy.sql', import.meta.url));

export const options: MigrateOptions = {
  clock: { now: () => performance.now() },
  sleep: (ms) => setTimeout(ms),
  waitMs: 0,
  lockTimeoutMs: 200,
};

/** A plain connection, to look at and to disturb a database. Settings last as long as it. */
export async function connect(url: string, ...settings: readonly string[]): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  for (const setting of settings) await client.query(`set ${setting}`);
  return client;
}

/** Fills an empty database with the shape of 20250110000013, and with what sqlx recorded of it. */
export async function makeLegacy(url: string, sqlx: readonly SqlxRecord[] = []): Promise<void> {
  const client = await connect(url);
  await client.query(await readFile(LEGACY, 'utf8'));
  if (sqlx.length > 0) await recordSqlx(client, sqlx);
  await client.end();
}

export interface SqlxRecord {
  readonly version: string;
  readonly success?: boolean;
}

async function recordSqlx(client: Client, records: readonly SqlxRecord[]): Promise<void> {
  await client.query(`create table _sqlx_migrations (version bigint primary key, description text not null,
    installed_on timestamptz not null default now(), success boolean not null, checksum bytea not null,
    execution_time bigint not null)`);
  for (const { version, success = true } of records) {
    await client.query(
      `insert into _sqlx_migrations values ($1, 'a step', default, $2, '\\x00ff', 1234567)`,
      [version, success],
    );
  }
}

/** sqlx versions 20250110000001 to 20250110000000 + `last`. */
export function sqlxUpTo(last: number): SqlxRecord[] {
  return Array.from({ length: last }, (_, index) => ({ version: String(20250110000001 + index) }));
}

/** Schema and rows as text, leaving our own table out: equal before and after = untouched. */
export async function dump(url: string): Promise<string> {
  const args = ['--no-owner', '--exclude-table=sallyport_migrations', url];
  const { stdout } = await promisify(execFile)(join(postgresBinaries, 'pg_dump'), args, {
    maxBuffer: 64 * 1024 * 1024,
  });
  // Newer releases of pg_dump write a random key.
  return stdout.replaceAll(/^\\(?:un)?restrict .*$/gm, '');
}

export function spawnCli(url: string, args: readonly string[]): ChildProcess {
  return spawnSallyport({ DATABASE_URL: url }, 'db', ...args);
}

export async function cli(url: string, ...args: readonly string[]) {
  return sallyport({ DATABASE_URL: url }, 'db', ...args);
}

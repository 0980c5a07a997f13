import * as z from 'zod';
import { sql } from '../../shared/ports/database.ts';
import type { DatabaseSession } from '../../shared/database/session.ts';
import { Failure } from '../failure.ts';
import { readCatalog } from './catalog.ts';
import { missingOfLegacy, type Expected } from './expected.ts';
import type { MigrationFile } from './files.ts';
import { createLedger, entryFor, readLedger, tableExists } from './ledger.ts';
import { lockRun, type Waiting } from './run-lock.ts';

/** The last migration of an adopted database. */
export const LAST_LEGACY = '20250110000013';
const LEGACY_TABLES = ['tenants', 'users', 'sessions', 'kanidm_tenant_groups'] as const;

export interface Baseline {
  /** Migrations that are (or would be) recorded as applied. */
  readonly adopted: readonly MigrationFile[];
  readonly from: 'schema' | 'sqlx';
}

export interface BaselineOptions extends Waiting {
  readonly waitMs: number;
}

/** Determines the migrations of an existing database. Read-only; throws Failure when it cannot be adopted. */
export async function planBaseline(
  session: DatabaseSession,
  files: readonly MigrationFile[],
  expected: Expected,
): Promise<Baseline> {
  if ((await readLedger(session)).length > 0) {
    throw new Failure('the database already has a record of migrations: nothing to adopt');
  }
  if ((await legacyTable(session)) === undefined) {
    throw new Failure('the database is empty: nothing to adopt, run `sallyport db migrate`');
  }
  const sqlx = await readSqlx(session);
  const faults = sqlx === undefined ? [] : faultsOfSqlx(sqlx, files, LAST_LEGACY);
  const missing = missingOfLegacy(await readCatalog(session), expected);
  if (faults.length + missing.length > 0) throw new Failure([...faults, ...missing].join('\n'));
  if (sqlx === undefined) {
    return { adopted: files.filter(({ version }) => version <= LAST_LEGACY), from: 'schema' };
  }
  const versions = new Set(sqlx.map(({ version }) => version));
  return { adopted: files.filter(({ version }) => versions.has(version)), from: 'sqlx' };
}

/** Records them, all or none. Writes only to the ledger. */
export async function baseline(
  session: DatabaseSession,
  files: readonly MigrationFile[],
  expected: Expected,
  options: BaselineOptions,
): Promise<Baseline> {
  await lockRun(session, options.waitMs, options);
  const plan = await planBaseline(session, files, expected);
  await session.execute(sql`begin`);
  await createLedger(session);
  for (const file of plan.adopted) await session.execute(entryFor(file, 'baselined', 0));
  await session.execute(sql`commit`);
  return plan;
}

/** Why migrations only seem pending: tables exist without a ledger. */
export async function faultsOfUnadopted(
  session: DatabaseSession,
  ledger: readonly unknown[],
): Promise<string[]> {
  const table = ledger.length === 0 ? await legacyTable(session) : undefined;
  if (table === undefined) return [];
  return [
    `the database already has a table ${table}, but no record of migrations: adopt it with \`sallyport db baseline\``,
  ];
}

async function legacyTable(session: DatabaseSession): Promise<string | undefined> {
  for (const table of LEGACY_TABLES) if (await tableExists(session, table)) return table;
  return undefined;
}

const Row = z.object({ version: z.string(), description: z.string(), success: z.boolean() });
export type SqlxRow = z.infer<typeof Row>;

/** The record of sqlx; undefined when it never ran here. Never written. */
async function readSqlx(session: DatabaseSession): Promise<SqlxRow[] | undefined> {
  if (!(await tableExists(session, '_sqlx_migrations'))) return undefined;
  return session.query(
    sql`select version::text as version, description, success from _sqlx_migrations order by _sqlx_migrations.version`,
    Row,
  );
}

/** Why the record of sqlx cannot be adopted; empty when it can. */
export function faultsOfSqlx(
  rows: readonly SqlxRow[],
  files: readonly MigrationFile[],
  lastLegacy: string,
): string[] {
  const versions = new Set(rows.map(({ version }) => version));
  const ours = new Set(files.map(({ version }) => version));
  const newest = rows.at(-1)?.version ?? '';
  const label = ({ version, description }: SqlxRow): string =>
    `_sqlx_migrations: ${version} (${description})`;
  return [
    ...rows
      .filter(({ success }) => !success)
      .map((row) => `${label(row)} failed half-way: repair it with sqlx first`),
    ...rows
      .filter(({ version }) => !ours.has(version))
      .map((row) => `${label(row)} is unknown here: this database has gone another way`),
    ...files
      .filter(({ version }) => !versions.has(version) && (version <= lastLegacy || version < newest))
      .map(
        ({ version }) =>
          `_sqlx_migrations: ${version} is missing: bring the database to ${lastLegacy} with sqlx first`,
      ),
  ];
}

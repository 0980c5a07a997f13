import * as z from 'zod';
import { sql } from '../../shared/ports/database.ts';
import type { DatabaseSession } from '../../shared/database/session.ts';
import type { MigrationFile } from './files.ts';
import { tableExists } from './ledger.ts';

const Row = z.object({ version: z.string(), description: z.string(), success: z.boolean() });
export type SqlxRow = z.infer<typeof Row>;

/** What sqlx recorded; undefined when it never ran here. Only ever read. */
export async function readSqlx(session: DatabaseSession): Promise<SqlxRow[] | undefined> {
  if (!(await tableExists(session, '_sqlx_migrations'))) return undefined;
  return session.query(
    sql`select version::text as version, description, success from _sqlx_migrations order by _sqlx_migrations.version`,
    Row,
  );
}

/** Why the record of sqlx cannot be taken over; none = it can. */
export function faultsOfSqlx(
  rows: readonly SqlxRow[],
  files: readonly MigrationFile[],
  lastLegacy: string,
): string[] {
  const versions = new Set(rows.map(({ version }) => version));
  const known = new Set(files.map(({ version }) => version));
  const newest = rows.at(-1)?.version ?? '';
  const label = ({ version, description }: SqlxRow): string =>
    `_sqlx_migrations: ${version} (${description})`;
  return [
    ...rows
      .filter(({ success }) => !success)
      .map((row) => `${label(row)} failed half-way: repair it with sqlx first`),
    ...rows
      .filter(({ version }) => !known.has(version))
      .map((row) => `${label(row)} is unknown here: this database has gone another way`),
    ...files
      .filter(({ version }) => !versions.has(version) && (version <= lastLegacy || version < newest))
      .map(
        ({ version }) =>
          `_sqlx_migrations: ${version} is missing: bring the database to ${lastLegacy} with sqlx first`,
      ),
  ];
}

import * as z from 'zod';
import { sql, type Sql } from '../../shared/ports/database.ts';
import type { DatabaseSession } from '../../shared/database/session.ts';
import type { MigrationFile } from './files.ts';

const LEDGER_TABLE = 'sallyport_migrations';

export type Origin = 'applied' | 'baselined';

const Entry = z.object({
  name: z.string(),
  checksum: z.string(),
  origin: z.enum(['applied', 'baselined']),
  applied_at: z.date(),
  execution_ms: z.number(),
});
export type LedgerEntry = z.infer<typeof Entry>;

const Found = z.object({ found: z.boolean() });

export async function tableExists(session: DatabaseSession, table: string): Promise<boolean> {
  const [row] = await session.query(sql`select to_regclass(${table}) is not null as found`, Found);
  return row?.found ?? false;
}

/** Entries by name. Read-only: a database without the table has none. */
export async function readLedger(session: DatabaseSession): Promise<LedgerEntry[]> {
  if (!(await tableExists(session, LEDGER_TABLE))) return [];
  return session.query(
    sql`select name, checksum, origin, applied_at, execution_ms from sallyport_migrations order by name collate "C"`,
    Entry,
  );
}

export async function createLedger(session: DatabaseSession): Promise<void> {
  await session.execute(sql`
    create table if not exists sallyport_migrations (
      name text primary key,
      checksum text not null,
      origin text not null check (origin in ('applied', 'baselined')),
      applied_at timestamptz not null default now(),
      execution_ms integer not null
    )`);
}

export function entryFor(file: MigrationFile, origin: Origin, executionMs: number): Sql {
  return sql`
    insert into sallyport_migrations (name, checksum, origin, execution_ms)
    values (${file.name}, ${file.checksum}, ${origin}, ${Math.round(executionMs)})`;
}

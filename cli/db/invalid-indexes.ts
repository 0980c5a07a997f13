import * as z from 'zod';
import { sql } from '../../shared/ports/database.ts';
import type { DatabaseSession } from '../../shared/database/session.ts';

const CONCURRENT_INDEX =
  /^create\s+(?:unique\s+)?index\s+concurrently\s+if\s+not\s+exists\s+([a-z_][a-z0-9_]*)\s/im;
const Quoted = z.object({ name: z.string() });

/**
 * An index whose concurrent build was cut off stays behind as invalid, and IF NOT EXISTS would take it for the real one.
 * Under the run lock nobody else is building it.
 */
export async function dropInvalidIndex(session: DatabaseSession, statement: string): Promise<void> {
  const name = CONCURRENT_INDEX.exec(statement)?.[1];
  if (name === undefined) return;
  const invalid = await session.query(
    sql`select indexrelid::regclass::text as name from pg_index
        where indexrelid = to_regclass(${name}) and not indisvalid`,
    Quoted,
  );
  for (const index of invalid) await session.script(`drop index concurrently if exists ${index.name}`);
}

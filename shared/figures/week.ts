import * as z from 'zod';
import { sql } from '../ports/database.ts';
import type { Reads } from './read.ts';
import { NIL } from './scope.ts';

const Behind = z.object({ name: z.string(), active: z.number(), settled: z.number() });
/** A tenant with people who have not moved yet. */
export type Behind = z.output<typeof Behind>;

/** Tenants by how many of their people are still to come, most first. Throws as `Database`. */
export function tenantsBehind(database: Reads, limit: number): Promise<Behind[]> {
  return database.query(
    sql`select coalesce(name, slug, scope::text) as name, active, settled from sallyport_figures_totals
        where scope <> ${NIL}::uuid and active > settled order by active - settled desc, slug limit ${limit}::int`,
    Behind,
  );
}

/** `share` from 0 to 1 as a bar of characters: it needs neither pictures nor colours. */
export function bar(share: number, width: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width);
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}

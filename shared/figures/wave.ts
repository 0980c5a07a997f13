import * as z from 'zod';
import { sql } from '../ports/database.ts';
import { uuidOf } from '../uuid.ts';
import type { Reads } from './read.ts';

/** The id of a wave, by its name or its id; undefined for none. Throws as `Database`. */
export async function waveOf(database: Reads, named: string): Promise<string | undefined> {
  const [wave] = await database.query(
    sql`select wave_id as id from sallyport_waves where name = ${named}::text or wave_id = ${uuidOf(named)}::uuid`,
    z.object({ id: z.string() }),
  );
  return wave?.id;
}

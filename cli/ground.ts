import type { Slice } from '../shared/configuration/slice.ts';
import { openGround, type Ground } from '../shared/deps.ts';
import type { Database } from '../shared/ports/database.ts';
import { openDatabase } from './deps.ts';
import { serviceFailure } from './failure.ts';
import { configured, DATABASE_URL } from './variables.ts';

export interface CommandGround extends Ground {
  readonly database: Database;
}

/** Runs one command with the configuration of `slice` and an open DATABASE_URL. Throws Failure when a service is away or refuses. */
export async function withGround<Part extends object, T>(
  slice: Slice<Part>,
  work: (config: Part, ground: CommandGround) => Promise<T>,
): Promise<T> {
  const config = configured(DATABASE_URL.and(slice));
  // stdout belongs to the command's result.
  const ground = openGround({ logLevel: 'silent' });
  const database = openDatabase(config.databaseUrl);
  try {
    return await work(config, { ...ground, database });
  } catch (error) {
    throw serviceFailure(error) ?? error;
  } finally {
    await database.close();
  }
}

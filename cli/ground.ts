import type { Slice } from '../shared/configuration/slice.ts';
import { openGround, type Ground } from '../shared/deps.ts';
import { CountersUnavailable, ProviderUnavailable, RelationsUnavailable } from '../shared/errors.ts';
import { DatabaseError, DatabaseUnavailable, type Database } from '../shared/ports/database.ts';
import { openDatabase } from './deps.ts';
import { Failure, withoutTables } from './failure.ts';
import { openFgaFailure } from './fga/connect.ts';
import { configured, DATABASE_URL } from './variables.ts';

const OURS = [DatabaseUnavailable, DatabaseError, ProviderUnavailable, CountersUnavailable];

export interface CommandGround extends Ground {
  readonly database: Database;
}

/** DATABASE_URL, what a runtime brings, and what `slice` comes to, for one command; what is away or refused is a Failure. */
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
    if (error instanceof RelationsUnavailable) throw new Failure(openFgaFailure(error), { cause: error });
    const known = OURS.some((kind) => error instanceof kind);
    throw (
      withoutTables(error) ??
      (known && error instanceof Error ? new Failure(error.message, { cause: error }) : error)
    );
  } finally {
    await database.close();
  }
}

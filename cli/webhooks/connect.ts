import { DatabaseError, DatabaseUnavailable, type Database } from '../../shared/ports/database.ts';
import { parseDatabaseUrl } from '../../shared/database/url.ts';
import { openDatabase } from '../deps.ts';
import { Failure, withoutTables } from '../failure.ts';
import { missing } from '../variables.ts';
import { environment } from '../terminal.ts';

/** Opens DATABASE_URL for one command. Throws Failure when the database refuses or is away. */
export async function withInbox<T>(work: (database: Database) => Promise<T>): Promise<T> {
  const url = environment['DATABASE_URL'] ?? '';
  if (url === '') throw missing('DATABASE_URL');
  const shown = shownOf(url);
  const database = openDatabase(url);
  try {
    return await work(database);
  } catch (error) {
    const noTables = withoutTables(error);
    if (noTables !== undefined) throw noTables;
    if (error instanceof DatabaseUnavailable || error instanceof DatabaseError)
      throw new Failure(`${shown}: ${error.message}`, { cause: error });
    throw error;
  } finally {
    await database.close();
  }
}

function shownOf(url: string): string {
  try {
    return parseDatabaseUrl(url).shown;
  } catch {
    throw new Failure('DATABASE_URL is not a postgres:// URL');
  }
}

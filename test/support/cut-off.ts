import { DatabaseUnavailable, type Database } from '../../shared/ports/database.ts';

/** The process ended. */
export class Cut extends Error {}

/** Ends with the statement of this number: before it, or after it was executed and before its answer came. */
export function cutAt(database: Database, number: number, when: 'before' | 'after'): Database {
  let statements = 0;
  const through = async <T>(work: () => Promise<T>): Promise<T> => {
    statements += 1;
    if (statements > number) throw new Cut();
    if (statements === number && when === 'before') throw new Cut();
    const answer = await work();
    if (statements === number) throw new DatabaseUnavailable('the answer was lost');
    return answer;
  };
  return {
    ...database,
    query: (statement, row) => through(() => database.query(statement, row)),
    execute: (statement) => through(() => database.execute(statement)),
    transaction: (statements, options) => through(() => database.transaction(statements, options)),
  };
}

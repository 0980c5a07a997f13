import type { RowParser, Sql } from './sql.ts';

/**
 * One connection with a session of its own, for migrations and session locks. Never through a transaction pooler.
 * Throws as `Database`; errors of `script` include Postgres' message, since a script holds no parameters.
 */
export interface DatabaseSession {
  query<T>(statement: Sql, row: RowParser<T>): Promise<T[]>;
  execute(statement: Sql): Promise<number>;
  /** Executes SQL verbatim. More than one statement is one implicit transaction. */
  script(text: string): Promise<void>;
  /** False when a pooler answers in the server's place. */
  direct(): Promise<boolean>;
  /** Cancels the running statement, over a second connection. */
  cancel(): Promise<void>;
  close(): Promise<void>;
}

export type OpenSession = (url: string) => Promise<DatabaseSession>;

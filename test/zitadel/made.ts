import { readFileSync } from 'node:fs';
import { openPgSession } from '../../shared/adapters/postgres/session.ts';
import { emptyDatabase } from '../support/databases.ts';

const SHAPE = readFileSync(new URL('../../dev/zitadel/database/shape.sql', import.meta.url), 'utf8');

/** A small database in the shape of Zitadel's, of this test alone. */
export interface MadeZitadel {
  readonly url: string;
  /** Runs SQL: functions of the schema `made`, or what an operator would do by hand. */
  run(text: string): Promise<void>;
  close(): Promise<void>;
}

/** `reshape`: changes the SQL that makes the tables, as another release would. */
export async function madeZitadel({
  reshape = (text) => text,
}: { readonly reshape?: (text: string) => string } = {}): Promise<MadeZitadel> {
  const database = await emptyDatabase();
  const { url } = database;
  const run = async (text: string): Promise<void> => {
    const session = await openPgSession(url);
    try {
      await session.script(text);
    } finally {
      await session.close();
    }
  };
  await run(reshape(SHAPE));
  return { url, run, close: () => database.close() };
}

import * as z from 'zod';
import { Refusal } from '../../../shared/errors.ts';
import { DatabaseError, sql } from '../../../shared/ports/database.ts';
import type { AuthDeps } from '../deps.ts';

const UNDEFINED_COLUMN = '42703';
const There = z.object({ there: z.boolean() });

/**
 * The frame of every password route. Throws Refusal `password_retired` where PASSWORD_SIGN_IN is off, and where the clean-up has
 * dropped the passwords themselves.
 */
export async function retiredWithColumn<T>(
  { config, database }: Pick<AuthDeps, 'config' | 'database'>,
  work: () => Promise<T>,
): Promise<T> {
  if (!config.passwordSignIn) throw new Refusal('password_retired', 'PASSWORD_SIGN_IN is off');
  try {
    return await work();
  } catch (error) {
    if (error instanceof DatabaseError && error.code === UNDEFINED_COLUMN) await requirePasswords(database);
    throw error;
  }
}

/** For what would not meet a dropped column by itself. Throws Refusal `password_retired`, and as `Database`. */
export async function requirePasswords(database: Pick<AuthDeps['database'], 'query'>): Promise<void> {
  const [row] = await database.query(
    sql`select exists (select from pg_attribute where attrelid = to_regclass('users') and attname = 'password_hash'
          and not attisdropped) as there`,
    There,
  );
  if (row?.there === false) throw new Refusal('password_retired', 'the passwords were dropped');
}

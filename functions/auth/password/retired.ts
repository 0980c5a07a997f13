import { Refusal } from '../../../shared/errors.ts';
import { hasPasswords } from '../../../shared/people/users.ts';
import { DatabaseError, UNDEFINED_COLUMN } from '../../../shared/ports/database.ts';
import type { AuthDeps } from '../deps.ts';

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
  if (!(await hasPasswords(database))) throw new Refusal('password_retired', 'the passwords were dropped');
}

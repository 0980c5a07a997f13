import type { AuthDeps } from '../deps.ts';
import type { Account } from './accounts.ts';
import type { Hashing } from './hashes.ts';

/** What password routes work with. */
export interface PasswordDeps extends AuthDeps {
  readonly hashing: Hashing;
  /** After a right password: carries the person over to the provider. Runs beside the answer, and never fails it. */
  readonly carryOver?: ((account: Account, password: string) => Promise<void>) | undefined;
}

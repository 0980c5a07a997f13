import { randomBytes } from 'node:crypto';
import { compare, hash } from 'bcryptjs';
import { mustFitBcrypt } from './rules.ts';
import { UserRefused, type User, type Users } from './users.ts';

/** The lowest that there is: no hash made here outlives the process. */
const COST = 4;
const MOST_FAILURES = 3;

interface Code {
  readonly text: string;
  failures: number;
}

/** Invite codes and passwords. */
export class Credentials {
  readonly #users: Users;
  readonly #invites = new Map<string, Code>();
  readonly #failures = new Map<string, number>();

  constructor(users: Users) {
    this.#users = users;
  }

  /** A new code voids the one before. Refused once there is a credential. */
  invite(id: string): string {
    const user = this.#human(id);
    if (user.hash !== undefined) throw new UserRefused(400, 'User is already initialized', 'COMMAND-EF34g');
    const text = newCode();
    this.#invites.set(id, { text, failures: 0 });
    return text;
  }

  verifyInvite(id: string, text: string): void {
    const code = this.#invites.get(id);
    if (code?.text === text) {
      this.#invites.delete(id);
      this.#users.verifyEmail(id);
      return;
    }
    if (code !== undefined && (code.failures += 1) >= MOST_FAILURES) this.#invites.delete(id);
    throw new UserRefused(400, 'Code is invalid', 'COMMAND-Wgn4q');
  }

  async setPassword(id: string, password: string): Promise<User> {
    return this.#users.setPassword(id, await hash(password, COST));
  }

  /** Throws as Zitadel refuses a check. */
  async check(user: User, password: string): Promise<void> {
    mustFitBcrypt(password);
    if (user.state !== 'active') throw new UserRefused(400, 'Errors.User.NotActive', 'COMMAND-SFaf2');
    if (user.hash === undefined) throw new UserRefused(400, 'User does not have a password', 'COMMAND-3nJ4t');
    if (await compare(password, user.hash)) {
      this.#failures.delete(user.id);
      return;
    }
    const failedAttempts = (this.#failures.get(user.id) ?? 0) + 1;
    this.#failures.set(user.id, failedAttempts);
    throw new CheckFailed(failedAttempts);
  }

  #human(id: string): User {
    const user = this.#users.has(id) ? this.#users.get(id) : undefined;
    if (user?.email === undefined || user.state === 'removed')
      throw new UserRefused(400, 'User could not be found', 'COMMAND-Wgvn4');
    return user;
  }
}

/** Of an invitation, or of an address to verify. */
export function newCode(): string {
  return randomBytes(4).toString('hex').slice(0, 6).toUpperCase();
}

/** A wrong password. */
export class CheckFailed extends Error {
  override readonly name = 'CheckFailed';
  readonly failedAttempts: number;

  constructor(failedAttempts: number) {
    super('Password is invalid');
    this.failedAttempts = failedAttempts;
  }
}

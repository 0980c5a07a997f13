import type { Clock } from '../../ports/runtime.ts';

/** zitadel.authorization.v2.Authorization: one of a user in a project, with all their roles there. */
export interface Authorization {
  readonly id: string;
  readonly roles: readonly string[];
}

/** Longer than a list lags behind. */
const KEPT_MS = 10_000;

/**
 * Authorizations as they were written here a moment ago. A list may still show them as they were, and the next write, which has all
 * roles, would bring back those that were taken.
 */
export class WrittenRoles {
  readonly #clock: Clock;
  /** By the user, in the order of writing; null: deleted. */
  readonly #written = new Map<
    string,
    { readonly at: number; readonly authorization: Authorization | null }
  >();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(userId: string, authorization: Authorization | null): void {
    const at = this.#clock.now();
    this.#written.delete(userId);
    this.#written.set(userId, { at, authorization });
    for (const [id, each] of this.#written) {
      if (at - each.at < KEPT_MS) return;
      this.#written.delete(id);
    }
  }

  forget(userId: string): void {
    this.#written.delete(userId);
  }

  /** Of a user, with what is listed of them. */
  over(userId: string, listed: Authorization | undefined): Authorization | undefined {
    const own = this.#written.get(userId);
    if (own === undefined || this.#clock.now() - own.at >= KEPT_MS) return listed;
    return own.authorization ?? undefined;
  }
}

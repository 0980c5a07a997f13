/** A command that was refused or failed: exit code 1. Without a message when everything has been said already. */
export class Failure extends Error {
  override readonly name = 'Failure';
}

/** A command that was called in a way it does not understand: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

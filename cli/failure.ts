/** A command that was refused or failed: exit code 1. Without a message when everything has been said already. */
export class Failure extends Error {
  override readonly name = 'Failure';
}

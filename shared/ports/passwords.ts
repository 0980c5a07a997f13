/**
 * bcrypt. Hashes are of the form $2b$; passwords count as UTF-8, and of them the first 72 bytes. Off the event loop where the runtime has
 * threads. Its cost is 2^cost, and what bounds it is the caller's.
 */
export interface Passwords {
  verify(password: string, hash: string): Promise<boolean>;
  hash(password: string, cost: number): Promise<string>;
  /** Hashes that may be computed at the same time. */
  readonly atOnce: number;
}

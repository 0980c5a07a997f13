import { DatabaseError, sql, type Sql } from '../../../shared/ports/database.ts';
import type { DatabaseSession } from '../../../shared/database/session.ts';
import type { Waiting } from '../../db/run-lock.ts';
import { Failure } from '../../failure.ts';

/** Locks give way to whoever holds one, and are asked for again: so nobody queues behind them for longer. */
const LOCK_MS = sql`2000`;
const PAUSE_MS = 500;
const BUSY: readonly string[] = ['55P03', '40P01'];

/** What a sign-in, a run or a wave writes. The order is that of foreign keys. */
export const WRITTEN = sql`tenants, users, sessions, sallyport_tenants, sallyport_people, sallyport_links, sallyport_runs,
  sallyport_ledger, sallyport_waves, sallyport_invitations, sallyport_registrations, sallyport_resets`;

export interface Patience extends Waiting {
  /** Milliseconds in all. */
  readonly waitMs: number;
}

/**
 * Begins a transaction and keeps everybody else from writing, reading goes on. Whoever is in the middle of a write is waited for, and is
 * seen by what is read next. Throws Failure when that takes too long; then there is no transaction.
 */
export async function beginAlone(session: DatabaseSession, mode: Sql, patience: Patience): Promise<void> {
  await patiently(patience, async () => {
    await session.execute(sql`begin`);
    try {
      await session.execute(sql`set local lock_timeout = ${LOCK_MS}`);
      await session.execute(sql`lock table ${WRITTEN} in ${mode} mode`);
    } catch (error) {
      await session.execute(sql`rollback`);
      throw error;
    }
  });
}

export const NO_WRITES = sql`share row exclusive`;
export const NOTHING_ELSE = sql`access exclusive`;

/** Within that transaction: keeps everybody from reading `users` too, so that the columns can go. */
export async function alone(session: DatabaseSession, patience: Patience): Promise<void> {
  await patiently(patience, async () => {
    await session.execute(sql`savepoint alone`);
    try {
      await session.execute(sql`lock table users in access exclusive mode`);
    } catch (error) {
      await session.execute(sql`rollback to savepoint alone`);
      throw error;
    }
  });
}

async function patiently(patience: Patience, work: () => Promise<void>): Promise<void> {
  const { clock, waitMs } = patience;
  const deadline = clock.now() + waitMs;
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (!(error instanceof DatabaseError) || !BUSY.includes(error.code)) throw error;
      if (clock.now() >= deadline)
        throw new Failure(
          'the tables are in use, as by a sign-in, a run or a backup under way: nothing was changed, try again when it is quiet',
        );
    }
    await patience.sleep(PAUSE_MS);
  }
}

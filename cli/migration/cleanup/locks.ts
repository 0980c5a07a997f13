import { DatabaseError, sql, type Sql } from '../../../shared/ports/database.ts';
import type { DatabaseSession } from '../../../shared/database/session.ts';
import type { Waiting } from '../../db/run-lock.ts';
import { Failure } from '../../failure.ts';

const PAUSE_MS = 500;
/**
 * A lock that is not granted within lock_timeout is requested again later, so that other statements queue behind it for two seconds at
 * most. Timeouts of the database or the role are lifted: writing an archive takes long, and its transaction is idle meanwhile.
 */
const BEGIN = `begin; set local lock_timeout = 2000; set local statement_timeout = 0;
  set local idle_in_transaction_session_timeout = 0`;
const BUSY: readonly string[] = ['55P03', '40P01'];

/** What a sign-in, a run or a wave writes. The order is that of foreign keys. */
const WRITTEN = sql`tenants, users, sessions, sallyport_tenants, sallyport_people, sallyport_links, sallyport_runs,
  sallyport_ledger, sallyport_waves, sallyport_invitations, sallyport_registrations, sallyport_resets`;

export interface Patience extends Waiting {
  /** Milliseconds in all. */
  readonly waitMs: number;
}

/**
 * Begins a transaction with locks on all of WRITTEN in `mode`. Transactions that have written are waited for, and later reads see their
 * rows. Throws Failure after `waitMs`; no transaction is open then.
 */
export async function beginAlone(session: DatabaseSession, mode: Sql, patience: Patience): Promise<void> {
  await patiently(patience, async () => {
    await session.script(BEGIN);
    try {
      await session.execute(sql`lock table ${WRITTEN} in ${mode} mode`);
    } catch (error) {
      await session.execute(sql`rollback`);
      throw error;
    }
  });
}

export const NO_WRITES = sql`share row exclusive`;
export const NOTHING_ELSE = sql`access exclusive`;

/** Begins a transaction without such locks. */
export async function beginPlain(session: DatabaseSession): Promise<void> {
  await session.script(BEGIN);
}

/**
 * Within that transaction: locks `users` against reads too, as DROP COLUMN needs, and then the others against writes; so nobody who holds a
 * lock on `users` waits for one of these. Throws Failure after `waitMs`.
 */
export async function alone(session: DatabaseSession, patience: Patience): Promise<void> {
  await patiently(patience, async () => {
    await session.execute(sql`savepoint alone`);
    try {
      await session.execute(sql`lock table users in access exclusive mode`);
      await session.execute(sql`lock table ${WRITTEN} in share row exclusive mode`);
    } catch (error) {
      await session.execute(sql`rollback to savepoint alone`);
      throw error;
    }
  });
}

/** Repeats what meets a lock or a deadlock. Throws Failure after `waitMs`. */
export async function patiently(patience: Patience, work: () => Promise<void>): Promise<void> {
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

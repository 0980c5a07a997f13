import * as z from 'zod';
import { sql } from '../../shared/ports/database.ts';
import type { DatabaseSession } from '../../shared/database/session.ts';
import type { Clock } from '../../shared/ports/runtime.ts';
import { Failure } from '../failure.ts';

/** Both halves of the advisory lock's key: arbitrary constants. */
const CLASS = 0x5a11;
const OBJECT = 0x9027;
const POLL_MS = 200;

export interface Waiting {
  readonly clock: Clock;
  /** Rejects when the command was interrupted. */
  sleep(ms: number): Promise<void>;
}

const Locked = z.object({ locked: z.boolean() });
const Holder = z.object({ pid: z.number(), since: z.date().nullable() });

/** Permits one run at a time per database; the lock ends with the session, however that ends. Throws Failure. */
export async function lockRun(session: DatabaseSession, waitMs: number, waiting: Waiting): Promise<void> {
  if (!(await session.direct())) {
    throw new Failure('a connection pooler stands in between: use the direct address of the database');
  }
  const deadline = waiting.clock.now() + waitMs;
  // Polled, because a session that waits in pg_advisory_lock holds a snapshot, for which the other run's
  // CREATE INDEX CONCURRENTLY would wait: a deadlock.
  while (!(await tryLock(session))) {
    if (waiting.clock.now() >= deadline) throw new Failure(await describeHolder(session));
    await waiting.sleep(POLL_MS);
  }
}

async function tryLock(session: DatabaseSession): Promise<boolean> {
  const [row] = await session.query(
    sql`select pg_try_advisory_lock(${CLASS}::int4, ${OBJECT}::int4) as locked`,
    Locked,
  );
  return row?.locked ?? false;
}

async function describeHolder(session: DatabaseSession): Promise<string> {
  const [holder] = await session.query(
    sql`select l.pid, a.backend_start as since from pg_locks l left join pg_stat_activity a on a.pid = l.pid
        where l.locktype = 'advisory' and l.classid = ${CLASS} and l.objid = ${OBJECT} and l.granted limit 1`,
    Holder,
  );
  const who = holder === undefined ? 'another session' : `backend ${holder.pid}`;
  const since = holder?.since == null ? '' : `, connected since ${holder.since.toISOString()}`;
  return `another run holds the lock (${who}${since}): wait for it, or end it with pg_terminate_backend`;
}

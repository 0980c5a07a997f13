import * as z from 'zod';
import type { DatabaseSession } from '../../../shared/database/session.ts';
import { sql } from '../../../shared/ports/database.ts';
import type { Changed } from './gate.ts';
import { beginAlone, NO_WRITES, type Patience } from './locks.ts';

/**
 * What happens while the archive is written: the triggers that note changes for the figures note it. A mark of ours among the notes is there
 * as long as none of those after it was taken by a count of the figures.
 */
export interface Noted {
  readonly mark: number;
  /** The last notes that were looked at: of people, and of sessions. */
  readonly people: number;
  readonly sessions: number;
  /** What tenants are, whose state is that of their people too. */
  readonly tenants: string;
}

const PlaceRow = z.object({ people: z.number(), sessions: z.number(), tenants: z.string() });
const MarkRow = z.object({ mark: z.number() });

/** Every note up to here is committed and to be seen: locks wait for writes under way, and are given back at once. */
async function place(session: DatabaseSession): Promise<z.output<typeof PlaceRow>> {
  const [row] = await session.query(
    sql`select (select coalesce(max(id), 0) from sallyport_changes) as people,
          (select coalesce(max(id), 0) from sallyport_figures_deltas) as sessions,
          (select coalesce(md5(string_agg(md5(t::text), '' order by tenant_id)), '') from tenants t) as tenants`,
    PlaceRow,
  );
  if (row === undefined) throw new Error('a query without from has one row');
  return row;
}

export async function beginNoting(session: DatabaseSession, patience: Patience): Promise<Noted> {
  await beginAlone(session, NO_WRITES, patience);
  const [row] = await session.query(
    sql`insert into sallyport_changes (user_id) values (gen_random_uuid()) returning id as mark`,
    MarkRow,
  );
  const noted = await place(session);
  await session.execute(sql`commit`);
  return { ...noted, mark: row?.mark ?? 0 };
}

/** How far notes are now. */
export async function lookAgain(
  session: DatabaseSession,
  { mark }: Noted,
  patience: Patience,
): Promise<Noted> {
  await beginAlone(session, NO_WRITES, patience);
  const noted = await place(session);
  await session.execute(sql`commit`);
  return { ...noted, mark };
}

/** Ids of people noted after one place, up to another. */
export function peopleBetween(from: Noted, to: Noted) {
  return sql`select user_id from sallyport_changes where id > ${from.people}::bigint and id <= ${to.people}::bigint and user_id is not null`;
}

const SinceRow = z.object({
  whole: z.boolean(),
  people: z.number(),
  sessions: z.number(),
  tenants: z.string(),
});

/**
 * Under the locks: how many people and sessions are noted since by others, and whether the notes are whole. The tables
 * `sallyport_changed` and `sallyport_begun` hold them, as far as `most` goes.
 */
export async function noteRest(session: DatabaseSession, noted: Noted, most: number) {
  for (const statement of [
    sql`create temp table sallyport_changed (user_id uuid primary key) on commit drop`,
    sql`create temp table sallyport_begun (session_id uuid primary key) on commit drop`,
    // Changes of this transaction are archived already.
    sql`insert into sallyport_changed select distinct user_id from sallyport_changes
        where id > ${noted.people}::bigint and user_id is not null and xmin <> pg_current_xact_id()::xid limit ${most + 1}::int`,
    sql`insert into sallyport_begun
        select distinct case when origin ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then origin::uuid end from sallyport_figures_deltas
        where id > ${noted.sessions}::bigint and what = 'password_logins' and origin ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' limit ${most + 1}::int`,
    sql`analyze sallyport_changed`,
    sql`analyze sallyport_begun`,
  ])
    await session.execute(statement);
  const [row] = await session.query(
    sql`select exists (select from sallyport_changes where id = ${noted.mark}::bigint)
            and not exists (select from sallyport_changes where id > ${noted.mark}::bigint and user_id is null) as whole,
          (select count(*) from sallyport_changed)::int as people, (select count(*) from sallyport_begun)::int as sessions,
          (select coalesce(md5(string_agg(md5(t::text), '' order by tenant_id)), '') from tenants t) as tenants`,
    SinceRow,
  );
  if (row === undefined) throw new Error('a query without from has one row');
  return row;
}

export const REST: Changed = {
  people: sql`select user_id from sallyport_changed`,
  sessions: sql`select session_id from sallyport_begun`,
};

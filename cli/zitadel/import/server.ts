import * as z from 'zod';
import { DatabaseError, DatabaseUnavailable, identifier, sql } from '../../../shared/ports/database.ts';
import type { DatabaseSession } from '../../../shared/database/session.ts';
import { parseDatabaseUrl } from '../../../shared/database/url.ts';
import { databaseOf, withDatabase } from '../../children/postgres.ts';
import { openSession } from '../../deps.ts';
import { Failure } from '../../failure.ts';

/** One database of a server. Its oid stays the same through renames. */
export interface Found {
  readonly name: string;
  readonly oid: number;
  readonly owner: string;
  readonly bytes: number;
}

export interface SessionHolder {
  readonly pid: number;
  readonly user: string;
  readonly application: string;
  readonly address: string;
  readonly state: string;
}

export interface Role {
  readonly name: string;
  readonly superuser: boolean;
  readonly createDatabase: boolean;
}

/** A Postgres server, seen from another database than the one that is replaced. */
export interface Server {
  /** user@host:port/database of the target, without the password. */
  readonly shown: string;
  readonly url: string;
  /** Name of the target. */
  readonly target: string;
  /** As in 15. */
  readonly major: number;
  readonly session: DatabaseSession;
  close(): Promise<void>;
}

const MAINTENANCE = ['postgres', 'template1'];

/** Opens a session beside the database of `url`. `variable` is its name in errors. Throws Failure. */
export async function openServer(url: string, variable: string): Promise<Server> {
  const { shown } = parseDatabaseUrl(url);
  const target = databaseOf(url);
  const session = await besides(url, target, variable);
  try {
    // Behind a pooler an advisory lock passes to the next client of the connection, and a snapshot does not last.
    if (!(await session.direct()))
      throw new Failure(
        `${shown}: a connection pooler stands in between: ${variable} needs the address of the database itself`,
      );
    const [row] = await session.query(
      sql`select current_setting('server_version_num')::int / 10000 as major`,
      z.object({ major: z.number() }),
    );
    return { shown, url, target, major: row?.major ?? 0, session, close: () => session.close() };
  } catch (error) {
    await session.close().catch(() => undefined);
    throw serverFailure(error, shown, variable);
  }
}

async function besides(url: string, target: string, variable: string): Promise<DatabaseSession> {
  const { shown } = parseDatabaseUrl(url);
  let last: unknown;
  for (const name of MAINTENANCE.filter((each) => each !== target))
    try {
      return await openSession(withDatabase(url, name));
    } catch (error) {
      last = error;
      // Another database of the server may be open to this role.
      if (!(error instanceof DatabaseError) || error.code.startsWith('28')) break;
    }
  throw serverFailure(last, shown, variable);
}

/** As a Failure with the server's name; a Failure as it is. */
export function serverFailure(error: unknown, shown: string, variable: string): unknown {
  if (error instanceof DatabaseUnavailable)
    return new Failure(`${shown}: ${error.message}`, { cause: error });
  if (!(error instanceof DatabaseError)) return error;
  const message = error.message.replace(
    /; (?:are all migrations|the role of|look at the role|the database that).*$/,
    '',
  );
  const advice = error.code.startsWith('28') ? `; look at the role and the password of ${variable}` : '';
  return new Failure(`${shown}: ${message}${advice}`, { cause: error });
}

const FoundRow = z.object({ name: z.string(), oid: z.number(), owner: z.string(), bytes: z.number() });

export async function findDatabase({ session }: Server, name: string): Promise<Found | undefined> {
  const [row] = await session.query(
    sql`select d.datname::text as name, d.oid, r.rolname::text as owner, pg_database_size(d.oid) as bytes
        from pg_database d join pg_roles r on r.oid = d.datdba where d.datname = ${name}`,
    FoundRow,
  );
  return row;
}

/** The name that a database has now; undefined: it is gone. */
export async function nameOfDatabase({ session }: Server, oid: number): Promise<string | undefined> {
  const [row] = await session.query(
    sql`select datname::text as name from pg_database where oid = ${oid}::oid`,
    z.object({ name: z.string() }),
  );
  return row?.name;
}

const HolderRow = z.object({
  pid: z.number(),
  user: z.string(),
  application: z.string(),
  address: z.string(),
  state: z.string(),
});

/** Who is connected to any of the databases. Of the sessions of other roles a role without pg_read_all_stats sees hardly more than the user. */
export async function sessionsOf(
  { session }: Server,
  names: readonly string[],
): Promise<readonly SessionHolder[]> {
  return session.query(
    sql`select pid, coalesce(usename::text, '') as user, coalesce(application_name, '') as application,
          coalesce(host(client_addr), 'local') as address, coalesce(state, '') as state
        from pg_stat_activity
        where datname = any(${names}::text[])
          and coalesce(backend_type, 'client backend') in ('client backend', 'walsender', 'logical replication worker')
        order by backend_start`,
    HolderRow,
  );
}

/** As in `zitadel from 10.0.0.7 (zitadel, idle, pid 1204)`. */
export function describeHolder({ pid, user, application, address, state }: SessionHolder): string {
  const named = application === '' ? '' : `${application}, `;
  return `${user} from ${address} (${named}${state === '' ? 'state unknown' : state}, pid ${pid})`;
}

export async function ownRole({ session }: Server): Promise<Role> {
  const [row] = await session.query(
    sql`select rolname::text as name, rolsuper as superuser, rolcreatedb as "createDatabase"
        from pg_roles where rolname = current_user`,
    z.object({ name: z.string(), superuser: z.boolean(), createDatabase: z.boolean() }),
  );
  if (row === undefined) throw new Failure('the role of the session is gone');
  return row;
}

/** Of these roles: which exist, and whether the session's role may act as them; since 16 membership alone does not say so. */
export async function rolesAmong(
  { session }: Server,
  names: readonly string[],
): Promise<readonly { readonly name: string; readonly member: boolean }[]> {
  return session.query(
    sql`select rolname::text as name,
          pg_has_role(current_user, oid, case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end) as member
        from pg_roles where rolname = any(${names}::text[])`,
    z.object({ name: z.string(), member: z.boolean() }),
  );
}

export async function availableExtensions({ session }: Server): Promise<ReadonlySet<string>> {
  const rows = await session.query(
    sql`select name::text from pg_available_extensions`,
    z.object({ name: z.string() }),
  );
  return new Set(rows.map(({ name }) => name));
}

/** Removes a database, and cuts whoever is connected to it. Nothing when it is not there. */
export async function dropDatabase({ session }: Server, name: string): Promise<void> {
  await session.execute(sql`drop database if exists ${identifier(name)} with (force)`);
}

export interface Rename {
  readonly from: string;
  readonly to: string;
}

/** SQLSTATE object_in_use. */
const IN_USE = '55006';

/**
 * Renames databases, all of them or none: one transaction, so that no moment in between is ever seen. Returns false while somebody is
 * connected to one of them.
 */
export async function renameDatabases({ session }: Server, renames: readonly Rename[]): Promise<boolean> {
  try {
    await session.execute(sql`begin`);
    for (const { from, to } of renames)
      await session.execute(sql`alter database ${identifier(from)} rename to ${identifier(to)}`);
    await session.execute(sql`commit`);
    return true;
  } catch (error) {
    await session.execute(sql`rollback`).catch(() => undefined);
    if (error instanceof DatabaseError && error.code === IN_USE) return false;
    throw error;
  }
}

const LOCK_CLASS = 0x5a12;

/** One import or recovery of a database at a time, also from several machines; the lock ends with the session. Throws Failure. */
export async function lockTarget({ session, target }: Pick<Server, 'session' | 'target'>): Promise<void> {
  const [row] = await session.query(
    sql`select pg_try_advisory_lock(${LOCK_CLASS}::int4, hashtext(${target})) as locked`,
    z.object({ locked: z.boolean() }),
  );
  if (row?.locked !== true)
    throw new Failure(
      `another import or recovery of ${target} is under way, perhaps from another machine: wait for it`,
    );
}

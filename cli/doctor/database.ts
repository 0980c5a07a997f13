import * as z from 'zod';
import { green, red, worst, yellow, type Finding } from '../../shared/checks/check.ts';
import { DatabaseError, DatabaseUnavailable, sql, type Database } from '../../shared/ports/database.ts';
import { parseDatabaseUrl } from '../../shared/database/url.ts';
import { expectedFor, filesFor } from '../db/gated.ts';
import { verify } from '../db/verify.ts';
import { openSession } from '../deps.ts';
import { DATABASE_URL } from '../variables.ts';
import { demand, inDatabase, partOf } from './ground.ts';

function address(): { readonly url: string; readonly shown: string; readonly pooled: boolean } {
  demand('DATABASE_URL');
  const url = partOf(DATABASE_URL).databaseUrl;
  return { url, ...parseDatabaseUrl(url) };
}

/** Postgres' errors by what an operator does about them. `variable` names the address. */
export function databaseFault(error: unknown, shown: string, variable: string): Finding {
  if (error instanceof DatabaseUnavailable) {
    const full = error.code?.startsWith('53') === true;
    return red(
      `${shown}: ${error.message}`,
      full
        ? 'raise max_connections, or put a pooler in front'
        : `let ${variable} lead to a running Postgres: pg_isready -d "$${variable}"`,
    );
  }
  if (!(error instanceof DatabaseError)) throw error;
  const { code, message } = error;
  if (code.startsWith('28'))
    return red(
      `${shown}: ${message} (authentication failed)`,
      `write the right role and password into ${variable}; peer authentication asks for another role, as in postgres://postgres@…`,
    );
  if (code === '42501')
    return red(
      `${shown}: ${message} (permission denied)`,
      `grant the right to the role of ${variable}, or take the role that owns the tables`,
    );
  return red(`${shown}: ${message}`, code === '3D000' ? `create the database that ${variable} names` : '');
}

const State = z.object({ readonly: z.boolean(), connections: z.number(), most: z.number() });
const Lacking = z.object({ name: z.string() });

export async function database(): Promise<Finding> {
  const { shown } = address();
  try {
    return await inDatabase(async (opened) => {
      await opened.ping();
      return worst([await writable(opened, shown), await rights(opened, shown)], '');
    });
  } catch (error) {
    return databaseFault(error, shown, 'DATABASE_URL');
  }
}

async function writable(opened: Database, shown: string): Promise<Finding> {
  const [state] = await opened.query(
    sql`select pg_is_in_recovery() or current_setting('transaction_read_only')::boolean as readonly,
          (select count(*) from pg_stat_activity where backend_type = 'client backend')::int as connections,
          current_setting('max_connections')::int as most`,
    State,
  );
  if (state?.readonly === true)
    return red(
      `${shown} takes no writes: it is a replica, or read-only`,
      'let DATABASE_URL lead to the primary',
    );
  const { connections = 0, most = Infinity } = state ?? {};
  return connections > 0.9 * most
    ? yellow(
        `${shown}: ${connections} of ${most} connections are taken`,
        'raise max_connections, or put a pooler in front',
      )
    : green(`${shown} answers and takes writes`);
}

/** Our tables, as far as the role lacks one of the four rights on them. */
async function rights(opened: Database, shown: string): Promise<Finding> {
  const lacking = await opened.query(
    sql`select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = any(current_schemas(false)) and c.relkind in ('r', 'p')
          and (c.relname like 'sallyport\\_%' or c.relname in ('users', 'tenants', 'sessions'))
          and not (has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'insert')
            and has_table_privilege(c.oid, 'update') and has_table_privilege(c.oid, 'delete'))
        order by 1`,
    Lacking,
  );
  if (lacking.length === 0) return green(`${shown} answers and takes writes`);
  const names = lacking.map(({ name }) => name);
  return red(
    `${shown}: the role lacks rights on ${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''} (permission denied)`,
    'grant select, insert, update, delete on all tables in schema public to the role of DATABASE_URL',
  );
}

/** As `db verify`. */
export async function migrations(): Promise<Finding> {
  const { url, shown } = address();
  try {
    const session = await openSession(url);
    try {
      const differences = await verify(session, await filesFor(session), await expectedFor(session));
      if (differences.length === 0) return green(`${shown} is as the migrations promise`);
      const pending = differences.filter((each) => each.endsWith(': pending')).length;
      const [first = ''] = differences;
      const more = differences.length > 1 ? ` (and ${differences.length - 1} more)` : '';
      return red(`${shown}: ${first}${more}`, pending > 0 ? 'sallyport db migrate' : 'sallyport db verify');
    } finally {
      await session.close().catch(() => undefined);
    }
  } catch (error) {
    return databaseFault(error, shown, 'DATABASE_URL');
  }
}

const One = z.object({ one: z.number() });

/** A pooler by statements refuses transactions, without which nothing is written here. */
export async function pooler(): Promise<Finding> {
  const { url, shown, pooled } = address();
  try {
    const direct = await isDirect(url);
    await inDatabase(async (opened) => {
      await opened.query(sql`select 1 as one`, One);
      await opened.transaction([sql`select 1 as one`, sql`select 2 as one`]);
    });
    return direct && !pooled
      ? green(`${shown} is the server itself`)
      : green(
          `${shown} is a pooler that keeps transactions together; \`sallyport db\` needs the direct address`,
        );
  } catch (error) {
    if (error instanceof DatabaseUnavailable || error instanceof DatabaseError) {
      const found = databaseFault(error, shown, 'DATABASE_URL');
      return error instanceof DatabaseError || error.code !== undefined
        ? red(`${found.cause}: is it a pooler by statements?`)
        : found;
    }
    throw error;
  }
}

async function isDirect(url: string): Promise<boolean> {
  const session = await openSession(url);
  try {
    return await session.direct();
  } finally {
    await session.close().catch(() => undefined);
  }
}

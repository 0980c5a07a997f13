import * as z from 'zod';
import { DatabaseError, identifier, sql } from '../../../shared/ports/database.ts';
import type { DatabaseSession } from '../../../shared/database/session.ts';
import { withDatabase } from '../../children/postgres.ts';
import { openSession } from '../../deps.ts';
import { interruption } from '../../terminal.ts';
import { Failure } from '../../failure.ts';
import { serverFailure, type Server } from './server.ts';

export type Reads = Pick<DatabaseSession, 'query'>;

/** Runs `work` on another database of the server, in a session of its own; Ctrl-C cancels its running statement. Throws Failure where the server is away or refuses. */
export async function withDatabaseOf<T>(
  server: Server,
  name: string,
  work: (session: DatabaseSession) => Promise<T>,
): Promise<T> {
  try {
    const session = await openSession(withDatabase(server.url, name));
    const signal = interruption();
    const cancel = (): void => {
      session.cancel().catch(() => undefined);
    };
    signal.addEventListener('abort', cancel);
    try {
      return await work(session);
    } finally {
      signal.removeEventListener('abort', cancel);
      await session.close().catch(() => undefined);
    }
  } catch (error) {
    throw serverFailure(error, server.shown, 'ZITADEL_DATABASE_URL');
  }
}

/** What the target database holds now. */
export interface TargetState {
  /** False: the role may not look, and nothing else here says anything. */
  readonly isReadable: boolean;
  /** Tables of its own, whatever they are. */
  readonly tables: number;
  /** Null: it is none of Zitadel's. */
  readonly zitadel: {
    /** Of its tables. */
    readonly owner: string;
    /** Names of the setup steps that are done. */
    readonly steps: readonly string[];
  } | null;
}

const UNREADABLE: TargetState = { isReadable: false, tables: 0, zitadel: null };
/** SQLSTATE insufficient_privilege. */
const FORBIDDEN = '42501';

/** Throws Failure where the server is away; a role that may not read the database is no failure here. */
export async function stateOf(server: Server, name: string): Promise<TargetState> {
  try {
    return await withDatabaseOf(server, name, readTarget);
  } catch (error) {
    const cause = error instanceof Failure ? error.cause : undefined;
    if (cause instanceof DatabaseError && cause.code === FORBIDDEN) return UNREADABLE;
    throw error;
  }
}

async function readTarget(session: Reads): Promise<TargetState> {
  const [found] = await session.query(
    sql`select (select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema')::int as tables,
          (select r.rolname::text from pg_class c join pg_roles r on r.oid = c.relowner
             where c.oid = to_regclass('eventstore.events2')) as owner`,
    z.object({ tables: z.number(), owner: z.string().nullable() }),
  );
  const { tables = 0, owner = null } = found ?? {};
  if (owner === null) return { isReadable: true, tables, zitadel: null };
  const steps = await session.query(
    sql`select distinct payload ->> 'name' as name from eventstore.events2
        where instance_id = '' and aggregate_type = 'system' and payload ->> 'name' is not null
          and event_type in ('system.migration.done', 'system.migration.repeatable.done')`,
    z.object({ name: z.string() }),
  );
  return { isReadable: true, tables, zitadel: { owner, steps: steps.map(({ name }) => name) } };
}

const Table = z.object({ schema: z.string(), name: z.string() });

/** Rows of every table with data of its own, those of extensions left out, by `schema.table`, counted one after the other in the session's transaction. */
export async function countTables(session: Reads): Promise<ReadonlyMap<string, number>> {
  const tables = await session.query(
    sql`select n.nspname::text as schema, c.relname::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
          and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
        order by 1, 2`,
    Table,
  );
  const counted = new Map<string, number>();
  for (const { schema, name } of tables) {
    const [row] = await session.query(
      sql`select count(*) as rows from ${identifier(schema, name)}`,
      z.object({ rows: z.number() }),
    );
    counted.set(`${schema}.${name}`, row?.rows ?? 0);
  }
  return counted;
}

/** Tables whose rows differ, as in `projections.users14: 959 in the dump, 958 here`. Empty: the same. */
export function differences(
  wanted: ReadonlyMap<string, number>,
  found: ReadonlyMap<string, number>,
  names: { readonly wanted: string; readonly found: string },
): readonly string[] {
  return [...wanted].flatMap(([table, rows]) => {
    const here = found.get(table);
    if (here === rows) return [];
    return [
      `${table}: ${rows} ${names.wanted}, ${here === undefined ? 'no such table' : here} ${names.found}`,
    ];
  });
}

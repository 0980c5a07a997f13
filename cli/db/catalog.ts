import * as z from 'zod';
import { sql, type Sql } from '../../shared/ports/database.ts';
import type { DatabaseSession } from '../../shared/database/session.ts';

/** A schema as sets of lines, equal exactly for equal schemas; names of indexes play no part. */
export const Catalog = z.object({
  /** `users.email varchar(255) NOT NULL` */
  columns: z.array(z.string()),
  /** `users UNIQUE btree (tenant_id, email)` */
  indexes: z.array(z.string()),
  /** Checks, foreign keys; ` NOT VALID` at the end while old rows are unchecked. */
  constraints: z.array(z.string()),
  triggers: z.array(z.string()),
  functions: z.array(z.string()),
});
export type Catalog = z.infer<typeof Catalog>;

const Line = z.object({ line: z.string() });

/** Ledgers of migrations are not part of the schema. */
const RELATIONS = sql`
  select c.oid, c.relname from pg_class c
  where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p')
    and c.relname not in ('sallyport_migrations', '_sqlx_migrations')`;

const COLUMNS = sql`
  select format('%s.%s %s', t.relname, a.attname, format_type(a.atttypid, a.atttypmod))
    || case when a.attnotnull then ' NOT NULL' else '' end as line
  from (${RELATIONS}) t join pg_attribute a on a.attrelid = t.oid
  where a.attnum > 0 and not a.attisdropped`;

const INDEXES = sql`
  select format('%s %s%s', t.relname, case when i.indisunique then 'UNIQUE ' else '' end,
    substring(pg_get_indexdef(i.indexrelid) from ' USING (.*)$')) as line
  from (${RELATIONS}) t join pg_index i on i.indrelid = t.oid
  where i.indisvalid`;

const CONSTRAINTS = sql`
  select format('%s %s', t.relname, pg_get_constraintdef(k.oid)) as line
  from (${RELATIONS}) t join pg_constraint k on k.conrelid = t.oid
  where k.contype in ('c', 'f', 'x')`;

const TRIGGERS = sql`
  select substring(pg_get_triggerdef(g.oid, true) from ' ((?:BEFORE|AFTER|INSTEAD) .*)$') as line
  from (${RELATIONS}) t join pg_trigger g on g.tgrelid = t.oid
  where not g.tgisinternal`;

const FUNCTIONS = sql`
  select format('%s(%s) %s', p.proname, pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid)) as line
  from pg_proc p
  where p.pronamespace = current_schema()::regnamespace
    and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')`;

const INVALID_INDEXES = sql`
  select i.indexrelid::regclass::text as line
  from (${RELATIONS}) t join pg_index i on i.indrelid = t.oid
  where not i.indisvalid`;

export async function readCatalog(session: DatabaseSession): Promise<Catalog> {
  const lines = (statement: Sql): Promise<string[]> => readLines(session, statement);
  return {
    columns: await lines(COLUMNS),
    indexes: await lines(INDEXES),
    constraints: await lines(CONSTRAINTS),
    triggers: await lines(TRIGGERS),
    functions: await lines(FUNCTIONS),
  };
}

/** Left by an interrupted concurrent build; maintained by writes, but used by no query. */
export async function readInvalidIndexes(session: DatabaseSession): Promise<string[]> {
  return readLines(session, INVALID_INDEXES);
}

async function readLines(session: DatabaseSession, statement: Sql): Promise<string[]> {
  // Sorted here: databases differ in their collation.
  return (await session.query(statement, Line)).map(({ line }) => line).sort();
}

import * as z from 'zod';
import type { AuditedAct } from '../../../shared/people/audit.ts';
import type { DatabaseSession } from '../../../shared/database/session.ts';
import { sql, type Sql } from '../../../shared/ports/database.ts';
import { Record_, type TABLES } from './content.ts';

export interface Returned {
  /** People whose values are back. */
  readonly people: number;
  /** Of those who were removed: back, and left out. */
  readonly removed: number;
  readonly left: number;
  /** Who came after the clean-up. */
  readonly since: number;
}

const BATCH = 500;

/** Puts records back, some hundred by one statement, in the transaction that made the columns. */
export async function openReturn(session: DatabaseSession) {
  await session.execute(sql`create temp table sallyport_returning (row jsonb) on commit drop`);
  await session.execute(sql`create temp table sallyport_returned (n integer) on commit drop`);
  const counts = { people: 0, removed: 0, tried: 0 };
  let batch: string[] = [];
  let of = '';
  /** People of the batch: of one of them the last record counts, so that each is there once. */
  const people = new Set<string>();
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    const rows = `[${batch.join(',')}]`;
    if (of === 'person') counts.people += await session.execute(valuesOf(rows));
    else if (of === 'again') await session.execute(valuesOf(rows));
    else {
      const back = await insert(session, of as Table, rows);
      if (of === 'users')
        [counts.removed, counts.tried] = [counts.removed + back, counts.tried + batch.length];
    }
    batch = [];
    people.clear();
  };
  return {
    async take(text: string): Promise<void> {
      const record = Record_.parse(JSON.parse(text));
      if (record.kind === 'head' || record.kind === 'tail') return;
      const next = placeOf(record);
      const id = record.kind === 'person' ? record.row.user_id : undefined;
      if (next !== of || batch.length >= BATCH || (id !== undefined && people.has(id))) await flush();
      of = next;
      if (id !== undefined) people.add(id);
      batch.push(text);
    },
    async end(): Promise<Returned> {
      await flush();
      const since = await session.execute(SINCE);
      return { people: counts.people, removed: counts.removed, left: counts.tried - counts.removed, since };
    },
  };
}

type Kept = Exclude<z.output<typeof Record_>, { readonly kind: 'head' | 'tail' }>;

function placeOf(record: Kept): string {
  if (record.kind === 'row') return record.table;
  if (record.kind === 'removed') return 'users';
  return record.again === true ? 'again' : 'person';
}

const FORGOTTEN: AuditedAct = 'forgotten';

function forgotten(id: Sql): Sql {
  return sql`exists (select from sallyport_audit a where a.subject = ${id} and a.what = ${FORGOTTEN}::text)`;
}

/**
 * An account that the clean-up named after its user, as there was a link alone, is taken back. Of someone who was forgotten since, and made
 * anonymous, nothing comes back that `users forget` takes away.
 */
function valuesOf(rows: string): Sql {
  return sql`
    update users u set password_hash = case when not f.forgotten then v.password_hash end,
      password_changed_at = v.password_changed_at, failed_login_attempts = v.failed_login_attempts,
      locked_until = case when not f.forgotten then v.locked_until end, auth_method = v.auth_method,
      migration_invited_at = case when not f.forgotten then v.migration_invited_at end,
      migration_completed_at = v.migration_completed_at,
      kanidm_user_id = case when v.kanidm_user_id is null then null else u.kanidm_user_id end
    from jsonb_array_elements(${rows}::jsonb) r, lateral jsonb_populate_record(null::users, r -> 'row') v,
      lateral (select ${forgotten(sql`v.user_id`)} as forgotten) f
    where u.user_id = v.user_id`;
}

const SINCE = sql`
  update users set auth_method = 'kanidm', migration_completed_at = coalesce(kanidm_synced_at, created_at)
  where auth_method is null`;

type Table = 'users' | (typeof TABLES)[number];

/** Over sallyport_returning, what cannot come back. */
const REFUSED: Readonly<Record<Table, Sql>> = {
  users: sql`not exists (select from tenants t where t.tenant_id = (row ->> 'tenant_id')::uuid)
    or ${forgotten(sql`(row ->> 'user_id')::uuid`)}`,
  sallyport_people: sql`not exists (select from users u where u.user_id = (row ->> 'user_id')::uuid)`,
  sessions: sql`not exists (select from users u where u.user_id = (row ->> 'user_id')::uuid)`,
  sallyport_sessions: sql`not exists (select from sessions s where s.session_id = (row ->> 'session_id')::uuid)`,
};

const CountRow = z.object({ n: z.number() });

/** Rows that are there already stay as they are. Returns how many came back. */
async function insert(session: DatabaseSession, table: Table, rows: string): Promise<number> {
  await session.execute(
    sql`insert into sallyport_returning select r -> 'row' from jsonb_array_elements(${rows}::jsonb) r`,
  );
  await session.execute(sql`delete from sallyport_returning where ${REFUSED[table]}`);
  await session.script(inserting(table));
  await session.execute(sql`delete from sallyport_returning`);
  const [row] = await session.query(
    sql`with counted as (delete from sallyport_returned returning n) select coalesce(sum(n), 0)::int as n from counted`,
    CountRow,
  );
  return row?.n ?? 0;
}

/** Of all columns that the table has, but for those that Postgres computes. */
function inserting(table: Table): string {
  return `do $$
    declare
      columns text;
      back integer;
    begin
      select string_agg(quote_ident(attname), ', ' order by attnum) into columns from pg_attribute
      where attrelid = '${table}'::regclass and attnum > 0 and not attisdropped and attgenerated = '';
      execute format('insert into ${table} (%1$s) overriding system value
        select %1$s from (select (jsonb_populate_record(null::${table}, row)).* from sallyport_returning) r
        on conflict do nothing', columns);
      get diagnostics back = row_count;
      insert into sallyport_returned values (back);
    end $$`;
}

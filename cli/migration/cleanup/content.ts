import * as z from 'zod';
import type { DatabaseSession } from '../../../shared/database/session.ts';
import { sql, type Sql } from '../../../shared/ports/database.ts';
import { DROPPED } from '../../db/gated.ts';

/** What is needed to make the dropped columns again as they were. Definitions are SQL, as Postgres prints it. */
export const Shape = z.object({
  columns: z.array(
    z.object({
      name: z.enum(DROPPED),
      type: z.string(),
      notNull: z.boolean(),
      fallback: z.string().nullable(),
      comment: z.string().nullable(),
    }),
  ),
  constraints: z.array(z.object({ name: z.string(), definition: z.string() })),
  indexes: z.array(z.string()),
  tableComment: z.string().nullable(),
  /** Of kanidm_user_id. */
  accountNotNull: z.boolean(),
});

export const Counts = z.object({
  /** People who stay, and how many of them have a password. */
  people: z.number(),
  passwords: z.number(),
  /** People without an account who are removed, and their sessions. */
  removed: z.number(),
  sessions: z.number(),
  /** People with a link and no kanidm_user_id. */
  linked: z.number(),
  waves: z.number(),
});
export type Counts = z.output<typeof Counts>;

/** The first record. */
export const Head = z.object({
  kind: z.literal('head'),
  id: z.string(),
  database: z.string(),
  at: z.string(),
  shape: Shape,
});

/** The last one: `records` are those of people and of removed people before it. */
export const Tail = z.object({
  kind: z.literal('tail'),
  counts: Counts,
  records: z.object({ person: z.number(), removed: z.number() }),
});
export type Head = z.output<typeof Head>;
export type Tail = z.output<typeof Tail>;
export type Shape = z.output<typeof Shape>;

/** Tables whose rows go with a person, in the order in which they come back. */
export const TABLES = ['sallyport_people', 'sessions', 'sallyport_sessions'] as const;

/**
 * `person`: the columns of somebody; of one person the last counts, and those that were written `again` are of what came meanwhile. `removed`,
 * `row`: rows that are removed.
 */
export const Record_ = z.discriminatedUnion('kind', [
  Head,
  Tail,
  z.object({
    kind: z.literal('person'),
    again: z.literal(true).optional(),
    row: z.object({ user_id: z.string() }),
  }),
  z.object({ kind: z.literal('removed') }),
  z.object({ kind: z.literal('row'), table: z.enum(TABLES) }),
]);

const ShapeRow = z.object({ shape: Shape });
const OF_DROPPED = sql`(select attnum from pg_attribute where attrelid = 'users'::regclass and attname = any(${DROPPED}))`;

export async function readShape(session: DatabaseSession): Promise<Shape> {
  const [row] = await session.query(
    sql`select jsonb_build_object(
        'columns', (select jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
            'notNull', a.attnotnull, 'fallback', pg_get_expr(d.adbin, d.adrelid), 'comment', col_description(a.attrelid, a.attnum))
            order by a.attnum)
          from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
          where a.attrelid = 'users'::regclass and a.attname = any(${DROPPED})),
        'constraints', (select coalesce(jsonb_agg(jsonb_build_object('name', quote_ident(k.conname), 'definition', pg_get_constraintdef(k.oid))), '[]')
          from pg_constraint k where k.conrelid = 'users'::regclass and k.contype <> 'n'
            and k.conkey && array${OF_DROPPED}),
        'indexes', (select coalesce(jsonb_agg(pg_get_indexdef(i.indexrelid)), '[]')
          from pg_index i where i.indrelid = 'users'::regclass and i.indisvalid
            and exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
              and d.refclassid = 'pg_class'::regclass and d.refobjid = i.indrelid and d.refobjsubid in ${OF_DROPPED})
            and not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.conrelid = i.indrelid)),
        'tableComment', obj_description('users'::regclass, 'pg_class'),
        'accountNotNull', (select attnotnull from pg_attribute where attrelid = 'users'::regclass and attname = 'kanidm_user_id')
      ) as shape`,
    ShapeRow,
  );
  if (row === undefined) throw new Error('a query without from has one row');
  return row.shape;
}

const LinkedRow = sql`(u.kanidm_user_id is null and exists (select from sallyport_links l where l.user_id = u.user_id))`;

/** What apply does; `leaving`: a query of ids. */
export async function readCounts(session: Pick<DatabaseSession, 'query'>, leaving: Sql): Promise<Counts> {
  const [row] = await session.query(
    sql`with leaving as materialized (${leaving}), staying as materialized (
          select u.password_hash, ${LinkedRow} as linked from users u
          where not exists (select from leaving v where v.user_id = u.user_id))
        select (select count(*) from staying)::int as people,
          (select count(*) from staying where coalesce(password_hash, '') <> '')::int as passwords,
          (select count(*) from leaving)::int as removed,
          (select count(*) from sessions s join leaving v on v.user_id = s.user_id)::int as sessions,
          (select count(*) from staying where linked)::int as linked,
          (select count(*) from sallyport_waves where state = 'planned')::int as waves`,
    Counts,
  );
  if (row === undefined) throw new Error('a query without from has one row');
  return row;
}

const PAGE = 1_000;
const FIRST = '00000000-0000-0000-0000-000000000000';
const PersonRow = z.object({ id: z.string(), text: z.string() });

/** `account`: kanidm_user_id, as it was before this transaction. */
function personOf(account: Sql, which: Sql): Sql {
  return sql`select u.user_id, ${account} as kanidm_user_id, u.password_hash, u.password_changed_at, u.failed_login_attempts, u.locked_until,
      u.auth_method, u.migration_invited_at, u.migration_completed_at
    from users u where ${which} order by u.user_id limit ${PAGE}::int`;
}

/** Records of everybody, page by page, without a lock: who changes meanwhile is archived again. */
export function peopleOf(session: DatabaseSession): AsyncGenerator<string> {
  return people(session, sql`{"kind": "person", "row": `, sql`true`, sql`u.kanidm_user_id`);
}

/** Records of people of `ids`, a query, as they are now. */
export function peopleAgain(
  session: DatabaseSession,
  ids: Sql,
  account: Sql = sql`u.kanidm_user_id`,
): AsyncGenerator<string> {
  return people(session, sql`{"kind": "person", "again": true, "row": `, sql`u.user_id in (${ids})`, account);
}

async function* people(
  session: DatabaseSession,
  head: Sql,
  which: Sql,
  account: Sql,
): AsyncGenerator<string> {
  for (let after = FIRST, more = true; more;) {
    const rows = personOf(account, sql`${which} and u.user_id > ${after}::uuid`);
    const page: z.output<typeof PersonRow>[] = await session.query(
      sql`select r.user_id as id, '${head}' || row_to_json(r)::text || '}' as text from (${rows}) r`,
      PersonRow,
    );
    for (const { text } of page) yield text;
    after = page.at(-1)?.id ?? after;
    more = page.length === PAGE;
  }
}

const TextRow = z.object({ text: z.string() });
const IdRow = z.object({ id: z.string() });

/**
 * Removes those of `ids` (a query) of whom `holds` is true still, some hundred at a time, and hands out their rows: that of `users` first. In a
 * transaction, in which nobody else changes them.
 */
export async function* removalsOf(session: DatabaseSession, ids: Sql, holds: Sql): AsyncGenerator<string> {
  for (let after = FIRST, more = true; more;) {
    const page: z.output<typeof IdRow>[] = await session.query(
      sql`select user_id::text as id from (${ids}) as going where user_id > ${after}::uuid order by user_id limit ${PAGE}::int`,
      IdRow,
    );
    const leaving = sql`any(${(
      await session.query(
        sql`select u.user_id::text as id from users u where u.user_id = any(${page.map(({ id }) => id)}::uuid[])
            and u.user_id in (${holds}) for update`,
        IdRow,
      )
    ).map(({ id }) => id)}::uuid[])`;
    const rows = [
      sql`select '{"kind": "removed", "row": ' || to_jsonb(u)::text || '}' as text from users u where u.user_id = ${leaving}`,
      rowsOf('sallyport_people', sql`sallyport_people r where r.user_id = ${leaving}`),
      rowsOf('sessions', sql`sessions r where r.user_id = ${leaving}`),
      rowsOf(
        'sallyport_sessions',
        sql`sallyport_sessions r join sessions s on s.session_id = r.session_id where s.user_id = ${leaving}`,
      ),
    ];
    for (const each of rows) for (const { text } of await session.query(each, TextRow)) yield text;
    await session.execute(sql`delete from users where user_id = ${leaving}`);
    after = page.at(-1)?.id ?? after;
    more = page.length === PAGE;
  }
}

function rowsOf(table: (typeof TABLES)[number], from: Sql): Sql {
  return sql`select jsonb_build_object('kind', 'row', 'table', ${table}::text, 'row', to_jsonb(r))::text as text from ${from}`;
}

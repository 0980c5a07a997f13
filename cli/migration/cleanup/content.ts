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
  counts: Counts,
});
export type Head = z.output<typeof Head>;
export type Shape = z.output<typeof Shape>;

/** Tables whose rows go with a person, in the order in which they come back. */
export const TABLES = ['sallyport_people', 'sessions', 'sallyport_sessions'] as const;

/** `person`: the columns of someone who stays. `removed`, `row`: rows that are removed. */
export const Record_ = z.discriminatedUnion('kind', [
  Head,
  z.object({ kind: z.literal('person') }),
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
/** The same in SQL: FETCH takes no parameter. */
const PAGE_SQL = sql`1000`;
const TextRow = z.object({ text: z.string() });

/** Records of everything that goes, over the rows of `sallyport_leaving`; a page in memory at a time. */
export async function* contentOf(session: DatabaseSession): AsyncGenerator<string> {
  const leaving = (key: Sql): Sql => sql`${key} in (select user_id from sallyport_leaving)`;
  yield* texts(
    session,
    sql`select '{"kind": "person", "row": ' || row_to_json(r)::text || '}' as text from (
          select u.user_id, u.kanidm_user_id, u.password_hash, u.password_changed_at, u.failed_login_attempts, u.locked_until,
            u.auth_method, u.migration_invited_at, u.migration_completed_at
          from users u where not ${leaving(sql`u.user_id`)}) r`,
  );
  yield* texts(
    session,
    sql`select jsonb_build_object('kind', 'removed', 'row', to_jsonb(u))::text as text from users u where ${leaving(sql`u.user_id`)}`,
  );
  yield* texts(session, rowsOf('sallyport_people', sql`sallyport_people r where ${leaving(sql`r.user_id`)}`));
  yield* texts(session, rowsOf('sessions', sql`sessions r where ${leaving(sql`r.user_id`)}`));
  yield* texts(
    session,
    rowsOf(
      'sallyport_sessions',
      sql`sallyport_sessions r join sessions s on s.session_id = r.session_id where ${leaving(sql`s.user_id`)}`,
    ),
  );
}

function rowsOf(table: (typeof TABLES)[number], from: Sql): Sql {
  return sql`select jsonb_build_object('kind', 'row', 'table', ${table}::text, 'row', to_jsonb(r))::text as text from ${from}`;
}

async function* texts(session: DatabaseSession, rows: Sql): AsyncGenerator<string> {
  await session.execute(sql`declare sallyport_content no scroll cursor for ${rows}`);
  for (;;) {
    const page = await session.query(sql`fetch forward ${PAGE_SQL} from sallyport_content`, TextRow);
    for (const { text } of page) yield text;
    if (page.length < PAGE) break;
  }
  await session.execute(sql`close sallyport_content`);
}

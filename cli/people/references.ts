import * as z from 'zod';
import { sql, type Sql } from '../../shared/ports/database.ts';

/** Rows of the application's own tables that name people who are to leave. */
export const ReferenceRow = z.object({ name: z.string(), rows: z.number() });
export type Reference = z.output<typeof ReferenceRow>;

/**
 * Statements of one transaction: `sallyport_leaving` holds the ids of `people` (a query) from then on, `sallyport_held` those of their sessions
 * that rows of the application name, and the last one answers with rows that name these people, or a session of theirs, in tables that are
 * neither `sessions` nor ours. Such a row would go with the person, or keep them. None can be added before the end of the transaction.
 */
export function referencesTo(people: Sql): readonly [...Sql[], Sql] {
  return [
    sql`create temp table sallyport_leaving (user_id uuid primary key) on commit drop`,
    sql`insert into sallyport_leaving ${people}`,
    sql`create temp table sallyport_held (session_id uuid primary key) on commit drop`,
    // A foreign key's row takes a lock that these exclude.
    sql`select from users where user_id in (select user_id from sallyport_leaving) for update`,
    sql`select from sessions where user_id in (select user_id from sallyport_leaving) for update`,
    sql`create temp table sallyport_named (name text, rows integer) on commit drop`,
    COUNTING,
    sql`select name, sum(rows)::int as rows from sallyport_named where rows > 0 group by name order by name`,
  ];
}

const COUNTING = sql`
  do $$
  declare
    reference record;
  begin
    for reference in
      select k.conrelid::regclass::text as name, k.confrelid::regclass::text as named,
        (select string_agg(format('r.%I = t.%I', a.attname, b.attname), ' and ')
          from unnest(k.conkey, k.confkey) as pair(here, there)
            join pg_attribute a on a.attrelid = k.conrelid and a.attnum = pair.here
            join pg_attribute b on b.attrelid = k.confrelid and b.attnum = pair.there) as pairs
      from pg_constraint k join pg_class c on c.oid = k.conrelid
      where k.contype = 'f' and k.confrelid in ('users'::regclass, 'sessions'::regclass)
        and k.conrelid <> 'sessions'::regclass and c.relname !~ '^sallyport_' and k.conparentid = 0
    loop
      if reference.named = 'sessions' then
        execute format('insert into sallyport_held select t.session_id from %s r join sessions t on %s where t.user_id in (select user_id from sallyport_leaving)
          on conflict do nothing', reference.name, reference.pairs);
      end if;
      execute format('insert into sallyport_named select %L, count(*) from %s r join %s t on %s where t.user_id in (select user_id from sallyport_leaving)',
        reference.name, reference.name, reference.named, reference.pairs);
    end loop;
  end $$`;

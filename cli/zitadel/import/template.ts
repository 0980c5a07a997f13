import * as z from 'zod';
import { sql } from '../../../shared/ports/database.ts';
import type { Server } from './server.ts';

const Text = z.object({ text: z.string() });

/** Settings that are lists: their values are kept as SQL, quoted where they have to be. */
const LISTS = [
  'search_path',
  'temp_tablespaces',
  'session_preload_libraries',
  'local_preload_libraries',
  'unix_socket_directories',
];

/**
 * Makes an empty database that is like another one in all that is no table: owner, encoding, locale, tablespace, privileges, settings, limit.
 * Without one to be like, it belongs to `owner`.
 */
export async function createLike(server: Server, name: string, like: string, owner: string): Promise<void> {
  const { session } = server;
  const made = await session.query(likeStatements(name, like), Text);
  const statements =
    made.length > 0
      ? made
      : await session.query(
          sql`select format('create database %I owner %I template template0', ${name}::text, ${owner}::text) as text`,
          Text,
        );
  for (const { text } of statements) await session.script(text);
}

/** Postgres quotes the names. A tablespace that is named has to be granted, the one of the template has not. Its columns for an ICU locale were renamed twice, so they are read as JSON. */
function likeStatements(name: string, like: string) {
  return sql`
    with d as (select *, to_jsonb(pg_database.*) as j from pg_database where datname = ${like})
    select text from (
      select 1 as place, format('create database %I owner %I template template0 encoding %L%s%s%s', ${name}::text, r.rolname,
          pg_encoding_to_char(encoding),
          case when coalesce(datcollate, '') = '' then '' else format(' lc_collate %L lc_ctype %L', datcollate, datctype) end,
          case when j ->> 'datlocprovider' = 'i'
            then format(' locale_provider icu icu_locale %L', coalesce(j ->> 'datlocale', j ->> 'daticulocale')) else '' end,
          case when dattablespace = (select b.dattablespace from pg_database b where b.datname = 'template0') then ''
            else format(' tablespace %I', t.spcname) end) as text
        from d join pg_roles r on r.oid = datdba join pg_tablespace t on t.oid = dattablespace
      union all
      select 2, format('alter database %I connection limit %s', ${name}::text, datconnlimit) from d where datconnlimit <> -1
      union all
      select 3, format('revoke all on database %I from public', ${name}::text) from d where datacl is not null
      union all
      select 4, format('grant %s on database %I to %s%s', a.privilege_type, ${name}::text,
          case when a.grantee = 0 then 'public' else quote_ident(r.rolname) end, case when a.is_grantable then ' with grant option' else '' end)
        from d cross join aclexplode(datacl) a left join pg_roles r on r.oid = a.grantee
        where (a.grantee = 0 or r.oid is not null) and a.grantee <> datdba
      union all
      select 5, format('alter %s set %I to %s',
          case when s.setrole = 0 then format('database %I', ${name}::text) else format('role %I in database %I', r.rolname, ${name}::text) end,
          split_part(c, '=', 1),
          case when split_part(c, '=', 1) = any(${LISTS}::text[]) then substr(c, strpos(c, '=') + 1)
            else quote_literal(substr(c, strpos(c, '=') + 1)) end)
        from d join pg_db_role_setting s on s.setdatabase = d.oid cross join unnest(s.setconfig) c left join pg_roles r on r.oid = s.setrole
        where s.setrole = 0 or r.oid is not null
    ) statements order by place`;
}

import * as z from 'zod';
import { ZITADEL_DATABASE } from '../../shared/configuration/operations.ts';
import { green, NotSetUp, red, worst, yellow, type Finding } from '../../shared/checks/check.ts';
import { parseDatabaseUrl } from '../../shared/database/url.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import { openDatabase } from '../deps.ts';
import { databaseFault } from './database.ts';
import { partOf } from './ground.ts';

const VARIABLE = 'ZITADEL_DATABASE_URL';

async function withZitadel(work: (database: Database, shown: string) => Promise<Finding>): Promise<Finding> {
  const { zitadelDatabaseUrl: url } = partOf(ZITADEL_DATABASE);
  if (url === null) throw new NotSetUp(`${VARIABLE} is not set`, 'set it for import, verify and login-names');
  const { shown } = parseDatabaseUrl(url);
  const database = openDatabase(url);
  try {
    return await work(database, shown);
  } catch (error) {
    return databaseFault(error, shown, VARIABLE);
  } finally {
    await database.close();
  }
}

const Rights = z.object({
  schemas: z.number(),
  superuser: z.boolean(),
  creates: z.boolean(),
  owns: z.boolean(),
  lacking: z.array(z.string()),
});

/** Schemas that the commands read. */
const READ = ['eventstore', 'projections', 'system'];

export function zitadelDatabase(): Promise<Finding> {
  return withZitadel(async (database, shown) => {
    const [row] = await database.query(
      sql`select (select count(*) from pg_namespace where nspname = any(${READ}))::int as schemas,
            r.rolsuper as superuser, r.rolcreatedb as creates,
            (select pg_has_role(current_user, datdba, 'member') from pg_database where datname = current_database()) as owns,
            coalesce((
              select array_agg(n.nspname || '.' || c.relname order by 1)
              from pg_class c join pg_namespace n on n.oid = c.relnamespace
              where n.nspname = any(${READ}) and c.relkind in ('r', 'p', 'v')
                and not (has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select'))
            ), '{}') as lacking
          from pg_roles r where r.rolname = current_user`,
      Rights,
    );
    const { schemas = 0, superuser = false, creates = false, owns = false, lacking = [] } = row ?? {};
    if (schemas < 2)
      return red(
        `${shown} is no database of Zitadel: it has no eventstore`,
        `let ${VARIABLE} lead to Zitadel's database`,
      );
    if (lacking.length > 0)
      return red(
        `${shown}: the role may not read ${lacking.slice(0, 3).join(', ')}${lacking.length > 3 ? ` and ${lacking.length - 3} more` : ''} (permission denied)`,
        'grant usage on the schemas and select on all tables in them, or name the superuser as in postgres://postgres@…',
      );
    const imports = superuser || (creates && owns);
    return green(
      `${shown} can be read${imports ? '' : '; `sallyport zitadel import` needs a superuser there'}`,
    );
  });
}

const Session = z.object({
  name: z.string(),
  user: z.string(),
  from: z.string(),
  minutes: z.number(),
});
const Taken = z.object({ taken: z.number(), most: z.number() });
const Holder = z.object({ name: z.string(), user: z.string(), from: z.string(), sessions: z.number() });
const MOST_NAMED = 5;

const LONG_MINUTES = 10;

export function zitadelDatabaseSessions(): Promise<Finding> {
  return withZitadel((database, shown) => sessionsOf(database, shown, LONG_MINUTES));
}

/** What would keep an import waiting, or Zitadel from connecting: transactions that are open for long, and connections that are taken. */
export async function sessionsOf(
  database: Pick<Database, 'query'>,
  shown: string,
  longMinutes: number,
): Promise<Finding> {
  const [count] = await database.query(
    sql`select count(*)::int as taken, current_setting('max_connections')::int as most
        from pg_stat_activity where backend_type = 'client backend'`,
    Taken,
  );
  const long = await database.query(
    sql`select coalesce(nullif(application_name, ''), 'a program without a name') as name, coalesce(usename, '?') as "user",
          coalesce(host(client_addr), 'this machine') as "from", (extract(epoch from now() - xact_start) / 60)::float8 as minutes
        from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()
          and xact_start < now() - interval '1 minute' * ${longMinutes}::int
        order by xact_start limit 5`,
    Session,
  );
  const { taken = 0, most = Infinity } = count ?? {};
  const found = long.map(({ name, user, from, minutes }) =>
    red(
      `${shown}: database is being accessed by ${name} as ${user} from ${from}, with a transaction open for ${Math.floor(minutes)} minutes`,
      'end that program; before an import scale Zitadel and its login to 0',
    ),
  );
  if (taken > 0.9 * most)
    found.push(
      yellow(
        `${shown}: ${taken} of ${most} connections are taken`,
        'raise max_connections, or lower Database.Postgres.MaxOpenConns of Zitadel',
      ),
    );
  return worst([green(await holders(database)), ...found], '');
}

/** Whom an import would wait for. */
async function holders(database: Pick<Database, 'query'>): Promise<string> {
  const open = await database.query(
    sql`select coalesce(nullif(application_name, ''), 'a program without a name') as name, coalesce(usename, '?') as "user",
          coalesce(host(client_addr), 'this machine') as "from", count(*)::int as sessions
        from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
        group by 1, 2, 3 order by 4 desc, 1 limit ${MOST_NAMED}::int`,
    Holder,
  );
  if (open.length === 0) return 'nobody else is connected';
  const named = open.map(({ name, user, from, sessions }) => `${name} as ${user} from ${from} (${sessions})`);
  return `no transaction is open for long; the database is accessed by ${named.join(', ')}`;
}

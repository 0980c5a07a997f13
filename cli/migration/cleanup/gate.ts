import * as z from 'zod';
import { ROLLBACK } from '../../../shared/provisioning/rollback.ts';
import { PEOPLE } from '../../../shared/provisioning/run.ts';
import { PEOPLE as USERS } from '../../../shared/people/users.ts';
import { sql, type Database, type Sql } from '../../../shared/ports/database.ts';
import { DROPPED } from '../../db/gated.ts';
import { Failure } from '../../failure.ts';

/** One condition of the clean-up. */
export interface GateLine {
  readonly name: string;
  readonly ok: boolean;
  /** How many people, sign-ins, tenants or the like stand in the way. */
  readonly missing: number;
  readonly says: string;
  /** Up to ten of those. */
  readonly examples: readonly string[];
}

type Reads = Pick<Database, 'query'>;

const There = z.object({ there: z.boolean(), database: z.string() });

/** Returns the name of the database. Throws Failure where the passwords have been dropped already. */
export async function assertPasswords(database: Reads): Promise<string> {
  const [row] = await database.query(
    sql`select exists (select from pg_attribute where attrelid = 'users'::regclass and attname = 'password_hash'
          and not attisdropped) as there, current_database() as database`,
    There,
  );
  if (row?.there !== true)
    throw new Failure(
      'the passwords of this database have been dropped already: nothing is left to clean up',
    );
  return row.database;
}

/** Over USERS. Users of suspended tenants are active too: their tenant may come back. */
const ACTIVE = sql`(u.status = 'active' and u.deleted_at is null and t.deleted_at is null)`;
const SETTLED = sql`(u.migration_completed_at is not null or p.excluded_at is not null)`;
/** Over `u`: neither the column nor a link names an account. */
const WITHOUT_ACCOUNT = sql`(u.kanidm_user_id is null
  and not exists (select from sallyport_links l where l.user_id = u.user_id))`;
/** Over USERS: deleted, suspended or excluded, so that the clean-up may remove the row. */
const REMOVABLE = sql`(u.status <> 'active' or u.deleted_at is not null or t.status <> 'active' or t.deleted_at is not null
  or p.excluded_at is not null)`;

/** Ids of the users without an account that `--remove-without-account` removes. */
export const LEAVING = sql`select u.user_id from ${USERS} where ${WITHOUT_ACCOUNT} and ${REMOVABLE}`;

/** Of what changed since all was read: ids of users and of sessions, as queries. */
export interface Changed {
  readonly people: Sql;
  readonly sessions: Sql;
}

/**
 * The conditions that the database decides, by its own clock; `removing`: with --remove-without-account; `changed`: only what has changed
 * is read, where there may be millions of it. Throws as `Database`.
 */
export async function readGate(
  database: Reads,
  removing: boolean,
  changed: Changed | null = null,
): Promise<GateLine[]> {
  return [
    await people(database, changed),
    await passwordSignIns(database, changed),
    await tenants(database),
    await runs(database),
    await waves(database),
    await accounts(database, removing, changed),
    await dependents(database),
  ];
}

function amongPeople(changed: Changed | null): Sql {
  return changed === null ? sql`` : sql`and u.user_id in (${changed.people})`;
}

const EXAMPLES = 10;
const Counted = z.object({ total: z.number(), missing: z.number(), examples: z.array(z.string()) });

/** `rows`: a query with a column `example`, and what it counts; `total`: an expression. */
async function counted(database: Reads, rows: Sql, total: Sql = sql`0`): Promise<z.output<typeof Counted>> {
  const [row] = await database.query(
    sql`with missing as materialized (${rows})
        select ${total}::int as total, (select count(*) from missing)::int as missing,
          coalesce((select array_agg(example) from (select example from missing order by example limit ${EXAMPLES}::int) e), '{}') as examples`,
    Counted,
  );
  return row ?? { total: 0, missing: 0, examples: [] };
}

const WHO = sql`t.slug || ' ' || u.email`;

async function people(database: Reads, changed: Changed | null): Promise<GateLine> {
  const among = amongPeople(changed);
  const found = await counted(
    database,
    sql`select ${WHO} as example from ${USERS} where ${ACTIVE} and not ${SETTLED} ${among}`,
    sql`(select count(*) from ${USERS} where ${ACTIVE} ${among})`,
  );
  const { total, missing } = found;
  return line(
    'people',
    found,
    `${total - missing} of ${total} active users have completed or are excluded (${percent(total - missing, total)})`,
  );
}

/** Rounds down: 100 % means all. */
function percent(part: number, whole: number): string {
  return whole === 0 ? 'none there' : `${Math.floor((part / whole) * 10_000) / 100} %`;
}

/** Ended ones too: they are kept for 31 days. */
async function passwordSignIns(database: Reads, changed: Changed | null): Promise<GateLine> {
  const among = changed === null ? sql`` : sql`and s.session_id in (${changed.sessions})`;
  const found = await counted(
    database,
    sql`select ${WHO} || ' at ' || to_char(max(s.created_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as example
        from sessions s join users u on u.user_id = s.user_id join tenants t on t.tenant_id = u.tenant_id
        where s.auth_method = 'jwt' and s.created_at > now() - interval '30 days' ${among} group by t.slug, u.email`,
  );
  return line(
    'password_sign_ins',
    found,
    `${found.missing} people have signed in by password in the last 30 days`,
  );
}

async function tenants(database: Reads): Promise<GateLine> {
  const found = await counted(
    database,
    sql`select t.slug as example from tenants t left join sallyport_tenants c on c.tenant_id = t.tenant_id
        where t.deleted_at is null and c.confirmed_at is null`,
    sql`(select count(*) from tenants where deleted_at is null)`,
  );
  const { total, missing } = found;
  return line(
    'tenants',
    found,
    `${total - missing} of ${total} tenants have confirmed (\`sallyport tenants confirm SLUG\`)`,
  );
}

const ENDED = [...new Set([...PEOPLE.ended, ...ROLLBACK.ended])];

/** Runs over people that have not ended, and a lease without such a run. */
async function runs(database: Reads): Promise<GateLine> {
  const found = await counted(
    database,
    sql`select coalesce(r.plan ->> 'kind', r.kind) || ' ' || r.run_id || ' (' || r.state || ')' as example from sallyport_runs r
        where r.kind = any(${[PEOPLE.name, ROLLBACK.name]}) and not r.state = any(${ENDED})
        union all
        select 'a process is at work in run ' || l.run_id from sallyport_leases l
        where l.name = ${PEOPLE.name} and l.expires_at > now()
          and not exists (select from sallyport_runs r where r.run_id = l.run_id and not r.state = any(${ENDED}))`,
  );
  return line('runs', found, `${found.missing} runs are under way or cut off (\`sallyport users runs\`)`);
}

async function waves(database: Reads): Promise<GateLine> {
  const found = await counted(
    database,
    sql`select name || ' (' || state || ')' as example from sallyport_waves where state in ('starting', 'running', 'paused')`,
  );
  return line('waves', found, `${found.missing} waves are running or paused (\`sallyport waves list\`)`);
}

async function accounts(database: Reads, removing: boolean, changed: Changed | null): Promise<GateLine> {
  const among = amongPeople(changed);
  const found = await counted(
    database,
    sql`select ${WHO} as example from ${USERS} where ${WITHOUT_ACCOUNT} ${removing ? sql`and not ${REMOVABLE}` : sql``} ${among}`,
    sql`(select count(*) from ${USERS} where ${WITHOUT_ACCOUNT} and ${REMOVABLE} ${among})`,
  );
  const rows = `${found.missing} rows of users have no account at the provider`;
  const { total } = found;
  if (removing)
    return line('accounts', found, `${rows} and take part; ${total} others would be archived and removed`);
  const way =
    total > 0
      ? `; ${total} of them are deleted, suspended or excluded: --remove-without-account archives and removes these`
      : '';
  return line('accounts', found, rows + way);
}

/**
 * DROP COLUMN drops indexes and constraints of the table as well, and fails for every other dependent object; PostgreSQL 14 also drops
 * columns that are generated from it.
 */
async function dependents(database: Reads): Promise<GateLine> {
  const found = await counted(
    database,
    sql`select distinct pg_describe_object(d.classid, d.objid, d.objsubid) as example
        from pg_depend d join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
        where d.refclassid = 'pg_class'::regclass and d.refobjid = 'users'::regclass and a.attname = any(${DROPPED})
          and (d.deptype = 'n' and (d.classid = any(array['pg_rewrite', 'pg_trigger', 'pg_policy', 'pg_proc', 'pg_attrdef']::regclass[])
              or exists (select from pg_constraint k where d.classid = 'pg_constraint'::regclass and k.oid = d.objid
                and k.conrelid <> 'users'::regclass))
            or d.classid = 'pg_class'::regclass and d.objid = d.refobjid and d.objsubid > 0)`,
  );
  return line(
    'dependents',
    found,
    `${found.missing} views, triggers or the like use columns that would be dropped`,
  );
}

function line(
  name: string,
  { missing, examples }: Pick<z.output<typeof Counted>, 'missing' | 'examples'>,
  says: string,
): GateLine {
  return { name, ok: missing === 0, missing, says, examples };
}

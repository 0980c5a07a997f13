import * as z from 'zod';
import { join, sql, type Sql } from '../../../shared/ports/database.ts';
import type { ZitadelDatabase } from '../database/open.ts';

export type Counts = Readonly<Record<string, number>>;

const Row = z.object({ what: z.string(), rows: z.number() });

/** Members of anything, by the projection that holds them. */
const MEMBERS = ['instance_members', 'org_members', 'project_members', 'project_grant_members'];

/** How many there are of what an operator asks about, in this order; a projection that this release lacks is left out. */
export async function countsOf(zitadel: ZitadelDatabase, instances: readonly string[]): Promise<Counts> {
  const { catalogue } = zitadel;
  const of = sql`instance_id = any(${instances})`;
  const arms: Sql[] = [];
  const add = (what: string, projection: string, condition: Sql = of): void => {
    if (catalogue.nameOf(projection) === null) return;
    arms.push(
      sql`select ${what}::text as what, count(*) as rows from ${catalogue.table(projection)} where ${condition}`,
    );
  };
  add('instances', 'instances', sql`id = any(${instances})`);
  add('organisations', 'orgs');
  add('humans', 'users', sql`${of} and type = 1`);
  add('machines', 'users', sql`${of} and type = 2`);
  for (const members of MEMBERS) add(members, members);
  add('projects', 'projects');
  add('applications', 'apps');
  add('user_grants', 'user_grants');
  add('sessions', 'sessions');
  add('pats', 'personal_access_tokens');
  add('pats_expired', 'personal_access_tokens', sql`${of} and expiration < statement_timestamp()`);
  const rows = await zitadel.query(join(arms, sql` union all `), Row);
  const counts: Record<string, number> = Object.fromEntries(
    rows.map(({ what, rows: count }) => [what, count]),
  );
  const memberships = MEMBERS.reduce((sum, members) => sum + (counts[members] ?? 0), 0);
  const users = (counts['humans'] ?? 0) + (counts['machines'] ?? 0);
  return { ...counts, users, memberships };
}

const Pat = z.object({ id: z.string(), user_id: z.string(), expiration: z.date() });

export type Pat = z.output<typeof Pat>;

/** Of the report; the first to expire come first. */
const LISTED_PATS = 1_000;

/** Personal access tokens by id; their text is in no database. */
export async function patsOf(
  zitadel: ZitadelDatabase,
  instances: readonly string[],
): Promise<readonly Pat[]> {
  const { catalogue } = zitadel;
  if (catalogue.nameOf('personal_access_tokens') === null) return [];
  return zitadel.query(
    sql`select id, user_id, expiration from ${catalogue.table('personal_access_tokens')}
        where instance_id = any(${instances}) order by expiration, id limit ${LISTED_PATS}::int`,
    Pat,
  );
}

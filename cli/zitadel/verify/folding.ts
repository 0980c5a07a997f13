import * as z from 'zod';
import { empty, join, sql, type Sql } from '../../../shared/ports/database.ts';
import type { ZitadelDatabase } from '../database/open.ts';
import { SAMPLES, type Finding } from './findings.ts';

/** A kind of thing whose life the events tell, and the tables that must hold each living one. */
interface Kind {
  readonly check: Finding['check'];
  readonly aggregate: string;
  /** Where the id is: absent for that of the aggregate. */
  readonly key?: string;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Ends all things below the aggregate. */
  readonly ended?: string;
  readonly tables: readonly TableOf[];
}

interface TableOf {
  readonly projection: string;
  readonly part?: string;
  readonly id: string;
  /** Events that put something into this table; absent: all that add. */
  readonly by?: readonly string[];
}

const HUMANS = ['user.human.added', 'user.human.selfregistered', 'user.added', 'user.selfregistered'];
const MACHINES = ['user.machine.added'];

export const KINDS: readonly Kind[] = [
  {
    check: 'people',
    aggregate: 'user',
    added: [...HUMANS, ...MACHINES],
    removed: ['user.removed'],
    tables: [
      { projection: 'users', id: 'id' },
      { projection: 'login_names', part: 'users', id: 'id' },
      { projection: 'users', part: 'humans', id: 'user_id', by: HUMANS },
      { projection: 'users', part: 'notifications', id: 'user_id', by: HUMANS },
      { projection: 'users', part: 'machines', id: 'user_id', by: MACHINES },
    ],
  },
  {
    check: 'entities',
    aggregate: 'org',
    added: ['org.added'],
    removed: ['org.removed'],
    tables: [{ projection: 'orgs', id: 'id' }],
  },
  {
    check: 'entities',
    aggregate: 'project',
    added: ['project.added'],
    removed: ['project.removed'],
    tables: [{ projection: 'projects', id: 'id' }],
  },
  {
    check: 'entities',
    aggregate: 'project',
    key: 'appId',
    added: ['project.application.added'],
    removed: ['project.application.removed'],
    ended: 'project.removed',
    tables: [{ projection: 'apps', id: 'id' }],
  },
  {
    check: 'entities',
    aggregate: 'user',
    key: 'tokenId',
    added: ['user.pat.added'],
    removed: ['user.pat.removed'],
    ended: 'user.removed',
    tables: [{ projection: 'personal_access_tokens', id: 'id' }],
  },
];

const Row = z.object({
  what: z.string(),
  missing: z.number(),
  missing_ids: z.array(z.string()),
  extra: z.number(),
  extra_ids: z.array(z.string()),
});

/** Rows that the events demand and a table lacks, as after a DELETE by hand, and rows that no event accounts for. */
export async function foldedAway(
  zitadel: ZitadelDatabase,
  instances: readonly string[],
  kind: Kind,
): Promise<readonly Finding[]> {
  const arms = kind.tables.map((table) => comparison(zitadel, table, instances));
  const rows = await zitadel.query(sql`${alive(kind, instances)} ${join(arms, sql` union all `)}`, Row);
  return rows.flatMap(({ what, missing, missing_ids, extra, extra_ids }) => [
    ...(missing === 0
      ? []
      : [finding(kind, what, `${missing} more, by the events`, `${missing} missing`, missing_ids)]),
    ...(extra === 0
      ? []
      : [finding(kind, what, 'none of them, by the events', `${extra} too many`, extra_ids)]),
  ]);
}

function finding(
  kind: Kind,
  what: string,
  expected: string,
  found: string,
  samples: readonly string[],
): Finding {
  return { check: kind.check, what, expected, found, samples, fault: true };
}

/** What was added and not removed since, nor its aggregate or organisation; `type`: what added it last. */
function alive(kind: Kind, instances: readonly string[]): Sql {
  const { aggregate, key, added, removed, ended } = kind;
  const id = key === undefined ? sql`aggregate_id` : sql`payload ->> ${key}::text`;
  const above =
    ended === undefined
      ? empty
      : sql` and not exists (select 1 from ended b where b.instance_id = f.instance_id and b.id = f.aggregate_id and b.at > f.at)`;
  return sql`with ended as materialized (
      select instance_id, aggregate_id as id, max(position) as at from eventstore.events2
      where aggregate_type = ${aggregate} and event_type = ${ended ?? ''} and instance_id = any(${instances}) group by 1, 2),
    gone as materialized (
      select instance_id, aggregate_id as id, max(position) as at from eventstore.events2
      where aggregate_type = 'org' and event_type = 'org.removed' and instance_id = any(${instances}) group by 1, 2),
    folded as (
      select instance_id, ${id} as id, aggregate_id, max(owner) as org,
        max(position) filter (where event_type = any(${added})) as at,
        max(position) filter (where event_type = any(${removed})) as removed_at,
        max(event_type) filter (where event_type = any(${added})) as type
      from eventstore.events2
      where aggregate_type = ${aggregate} and event_type = any(${[...added, ...removed]}) and instance_id = any(${instances})
      group by 1, 2, 3),
    alive as materialized (
      select f.instance_id, f.id, f.type from folded f
      where f.at is not null and (f.removed_at is null or f.removed_at < f.at)
        and not exists (select 1 from gone g where g.instance_id = f.instance_id and g.id = f.org and g.at >= f.at)${above})`;
}

function comparison(
  { catalogue }: ZitadelDatabase,
  { projection, part, id, by }: TableOf,
  instances: readonly string[],
): Sql {
  const table = catalogue.table(projection, part);
  const name = `projections.${catalogue.nameOf(projection, part) ?? ''}`;
  const column = id === 'id' ? sql`t.id` : sql`t.user_id`;
  const which = by === undefined ? empty : sql` where type = any(${by})`;
  return sql`select ${name}::text as what,
      count(*) filter (where t.instance_id is null) as missing,
      coalesce((array_agg(a.id order by a.id) filter (where t.instance_id is null))[1:${SAMPLES}::int], '{}') as missing_ids,
      count(*) filter (where a.instance_id is null) as extra,
      coalesce((array_agg(${column} order by ${column}) filter (where a.instance_id is null))[1:${SAMPLES}::int], '{}') as extra_ids
    from (select * from alive${which}) a
    full join (select * from ${table} where instance_id = any(${instances})) t
      on t.instance_id = a.instance_id and ${column} = a.id`;
}

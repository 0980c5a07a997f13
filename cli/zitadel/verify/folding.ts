import * as z from 'zod';
import { empty, join, sql, type Sql } from '../../../shared/ports/database.ts';
import type { ZitadelDatabase } from '../database/open.ts';
import { SAMPLES, type Finding } from './findings.ts';

/** A kind of thing whose life the events tell, and the tables that must hold each living one. */
interface Kind {
  readonly check: Finding['check'];
  readonly aggregate: string;
  /** Of an event; it names one thing within the instance. */
  readonly id: Sql;
  /** Where an event has the person to whom the thing belongs: it ends with that person. */
  readonly person?: string;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Ends all things below the aggregate. */
  readonly ended?: string;
  readonly tables: readonly TableOf[];
}

interface TableOf {
  readonly projection: string;
  readonly part?: string;
  /** Of a row `t`. */
  readonly id: Sql;
  /** Events that put something into this table; absent: all that add. */
  readonly by?: readonly string[];
}

const HUMANS = ['user.human.added', 'user.human.selfregistered', 'user.added', 'user.selfregistered'];
const MACHINES = ['user.machine.added'];
const AGGREGATE = sql`aggregate_id`;

/** Members of an aggregate: one person may be a member of many. */
function members(aggregate: string, owner: Sql): Kind {
  const type = (change: string): string => `${aggregate}.member.${change}`;
  return {
    check: 'memberships',
    aggregate,
    id: sql`aggregate_id || ' ' || (payload ->> 'userId')`,
    person: 'userId',
    added: [type('added')],
    removed: [type('removed'), type('cascade.removed')],
    ended: `${aggregate}.removed`,
    tables: [{ projection: `${aggregate}_members`, id: sql`${owner} || ' ' || t.user_id` }],
  };
}

export const KINDS: readonly Kind[] = [
  {
    check: 'people',
    aggregate: 'user',
    id: AGGREGATE,
    added: [...HUMANS, ...MACHINES],
    removed: ['user.removed'],
    tables: [
      { projection: 'users', id: sql`t.id` },
      { projection: 'login_names', part: 'users', id: sql`t.id` },
      { projection: 'users', part: 'humans', id: sql`t.user_id`, by: HUMANS },
      { projection: 'users', part: 'notifications', id: sql`t.user_id`, by: HUMANS },
      { projection: 'users', part: 'machines', id: sql`t.user_id`, by: MACHINES },
    ],
  },
  {
    check: 'entities',
    aggregate: 'org',
    id: AGGREGATE,
    added: ['org.added'],
    removed: ['org.removed'],
    tables: [{ projection: 'orgs', id: sql`t.id` }],
  },
  {
    check: 'entities',
    aggregate: 'project',
    id: AGGREGATE,
    added: ['project.added'],
    removed: ['project.removed'],
    tables: [{ projection: 'projects', id: sql`t.id` }],
  },
  {
    check: 'entities',
    aggregate: 'project',
    id: sql`payload ->> 'appId'`,
    added: ['project.application.added'],
    removed: ['project.application.removed'],
    ended: 'project.removed',
    tables: [{ projection: 'apps', id: sql`t.id` }],
  },
  {
    check: 'entities',
    aggregate: 'user',
    id: sql`payload ->> 'tokenId'`,
    added: ['user.pat.added'],
    removed: ['user.pat.removed'],
    ended: 'user.removed',
    tables: [{ projection: 'personal_access_tokens', id: sql`t.id` }],
  },
  members('instance', sql`t.id`),
  members('org', sql`t.org_id`),
  members('project', sql`t.project_id`),
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
  const arms = kind.tables
    .filter(({ projection }) => kind.check !== 'memberships' || zitadel.catalogue.nameOf(projection) !== null)
    .map((table) => comparison(zitadel, table, instances));
  if (arms.length === 0) return [];
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

/** What was added and not removed since, nor its aggregate, organisation or person; `type`: what added it last. */
function alive({ aggregate, id, person, added, removed, ended }: Kind, instances: readonly string[]): Sql {
  const whose = person === undefined ? sql`null::text` : sql`max(payload ->> ${person}::text)`;
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
      select instance_id, ${id} as id, aggregate_id, max(owner) as org, ${whose} as person,
        max(position) filter (where event_type = any(${added})) as at,
        max(position) filter (where event_type = any(${removed})) as removed_at,
        max(event_type) filter (where event_type = any(${added})) as type
      from eventstore.events2
      where aggregate_type = ${aggregate} and event_type = any(${[...added, ...removed]}) and instance_id = any(${instances})
      group by 1, 2, 3),
    alive as materialized (
      select f.instance_id, f.id, f.type from folded f
      where f.at is not null and (f.removed_at is null or f.removed_at < f.at)
        and not exists (select 1 from gone g where g.instance_id = f.instance_id and g.id = f.org and g.at >= f.at)${above}${person === undefined ? empty : PERSON_LIVES})`;
}

/** Not removed since, nor the organisation that the person is in. */
const PERSON_LIVES = sql` and not exists (select 1 from eventstore.events2 p
    where p.instance_id = f.instance_id and p.aggregate_type = 'user' and p.aggregate_id = f.person
      and ((p.event_type = 'user.removed' and p.position > f.at)
        or exists (select 1 from gone g where g.instance_id = p.instance_id and g.id = p.owner and g.at >= f.at)))`;

function comparison(
  { catalogue }: ZitadelDatabase,
  { projection, part, id, by }: TableOf,
  instances: readonly string[],
): Sql {
  const table = catalogue.table(projection, part);
  const name = `projections.${catalogue.nameOf(projection, part) ?? ''}`;
  const which = by === undefined ? empty : sql` where type = any(${by})`;
  return sql`select ${name}::text as what,
      count(*) filter (where t.instance_id is null) as missing,
      coalesce((array_agg(a.id order by a.id) filter (where t.instance_id is null))[1:${SAMPLES}::int], '{}') as missing_ids,
      count(*) filter (where a.instance_id is null) as extra,
      coalesce((array_agg(${id} order by ${id}) filter (where a.instance_id is null))[1:${SAMPLES}::int], '{}') as extra_ids
    from (select * from alive${which}) a
    full join (select * from ${table} where instance_id = any(${instances})) t
      on t.instance_id = a.instance_id and ${id} = a.id`;
}

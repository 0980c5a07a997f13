import * as z from 'zod';
import { sql, type Sql } from '../../../shared/ports/database.ts';
import type { ZitadelDatabase } from '../database/open.ts';
import { SAMPLES, type Finding } from './findings.ts';

const ADDED = [
  'user.human.added',
  'user.human.selfregistered',
  'user.machine.added',
  'user.added',
  'user.selfregistered',
];

/** The last event of these types decides what a column must hold. */
interface Column {
  readonly what: string;
  readonly types: readonly string[];
  /** Of an event `e`; null: it says nothing of the column. */
  readonly value: Sql;
  readonly projection: string;
  readonly part?: string;
  readonly id: Sql;
  readonly held: Sql;
}

const NAMED = [...ADDED, 'user.username.changed', 'user.domain.claimed'];
const MAILED = [...ADDED, 'user.human.email.changed', 'user.email.changed'];
const userName = sql`e.payload ->> 'userName'`;
const email = sql`e.payload ->> 'email'`;

const COLUMNS: readonly Column[] = [
  {
    what: 'username',
    types: NAMED,
    value: userName,
    projection: 'users',
    id: sql`t.id`,
    held: sql`t.username`,
  },
  {
    what: 'user_name',
    types: NAMED,
    value: userName,
    projection: 'login_names',
    part: 'users',
    id: sql`t.id`,
    held: sql`t.user_name`,
  },
  {
    what: 'email',
    types: MAILED,
    value: email,
    projection: 'users',
    part: 'humans',
    id: sql`t.user_id`,
    held: sql`t.email`,
  },
];

const Row = z.object({ changed: z.number(), ids: z.array(z.string()) });

/**
 * Names and addresses in projections that are not those of the events: written by SQL, and lost when the projection is built anew.
 * Two databases may both have them, so that nothing differs by it.
 */
export async function changedByHand(
  zitadel: ZitadelDatabase,
  instances: readonly string[],
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const column of COLUMNS) {
    const [row] = await zitadel.query(query(zitadel, column, instances), Row);
    if (row === undefined || row.changed === 0) continue;
    findings.push({
      check: 'people',
      what: `projections.${zitadel.catalogue.nameOf(column.projection, column.part) ?? ''}.${column.what}`,
      expected: 'as the events have it',
      found: `${row.changed} changed by SQL`,
      samples: row.ids,
      fault: false,
    });
  }
  return findings;
}

function query({ catalogue }: ZitadelDatabase, column: Column, instances: readonly string[]): Sql {
  const { types, value, projection, part, id, held } = column;
  return sql`with last as (
      select distinct on (e.instance_id, e.aggregate_id) e.instance_id, e.aggregate_id as id, ${value} as value
      from eventstore.events2 e
      where e.aggregate_type = 'user' and e.event_type = any(${types}) and e.instance_id = any(${instances}) and ${value} is not null
      order by e.instance_id, e.aggregate_id, e.sequence desc)
    select count(*) as changed, coalesce((array_agg(${id} order by ${id}))[1:${SAMPLES}::int], '{}') as ids
    from ${catalogue.table(projection, part)} t join last on last.instance_id = t.instance_id and last.id = ${id}
    where ${held} is distinct from last.value`;
}

import * as z from 'zod';
import { json, parseRows, sql, type Database, type Sql } from '../ports/database.ts';
import { cutOf, FIRST, inWave, judgedPage, PAGE, type Looking } from './cohort.ts';
import { UNSUBSCRIBED } from './people.ts';
import type { Wave } from './wave.ts';
import { findWave, recorded, type By } from './waves.ts';

/** Who wanted no more reminders of an earlier wave wants none of a later one; over rows of `cohort`. */
const EARLIER_OPT_OUT = sql`greatest(
  (select max(o.unsubscribed_at) from sallyport_invitations o where o.user_id = cohort.user_id),
  (select (p.flags ->> ${UNSUBSCRIBED}::text)::timestamptz from sallyport_people p where p.user_id = cohort.user_id))`;

export interface Starting extends Looking {
  /** Whether another page may begin. */
  readonly goesOn?: () => boolean;
  /** Gets the number of people taken so far. */
  readonly onTaken?: (people: number) => void;
}

/**
 * Starts a wave, or goes on with a start that was cut off: takes its people page by page, and runs once it has all of them; nobody who was
 * made after the beginning is among them. Several processes may do so at a time. Returns the number of people to the one that ended it;
 * undefined where another one began or ended it, it was cancelled, or `goesOn` is false. Throws as `Database`.
 */
export async function startWave(
  database: Pick<Database, 'query' | 'transaction'>,
  wave: Wave,
  by: By,
  { goesOn = () => true, onTaken, pageSize = PAGE, ...looking }: Starting = {},
): Promise<number | undefined> {
  if (wave.state === 'planned' && !(await begin(database, wave, by, { pageSize, ...looking })))
    return undefined;
  let now = await findWave(database, wave.name);
  while (now?.state === 'starting' && goesOn()) {
    const taken = await takePage(database, now, pageSize);
    if (taken?.state === 'running') return taken.taken;
    now = taken === undefined ? await findWave(database, wave.name) : { ...now, ...taken };
    onTaken?.(now?.taken ?? 0);
  }
  return undefined;
}

/** False when it is not planned any more. */
async function begin(
  database: Pick<Database, 'query' | 'transaction'>,
  { id, name, cohort, inviteCode }: Wave,
  by: By,
  looking: Looking,
): Promise<boolean> {
  const cut = await cutOf(database, { cohort, inviteCode, startedAt: null }, looking);
  // now() is the time of the transaction: this one began it.
  const ours = sql`exists (select from sallyport_waves where wave_id = ${id}::uuid and state = 'starting' and started_at = now())`;
  const [begun] = await database.transaction([
    sql`update sallyport_waves set state = 'starting', started_at = now(), cut = ${cut === null ? null : json(cut)}::jsonb
        where wave_id = ${id}::uuid and state = 'planned'`,
    sql`with started as (select where ${ours}) ${recorded(by, name, 'started', sql`started`)}`,
  ]);
  return begun?.count === 1;
}

const TakenRow = z.object({
  state: z.enum(['starting', 'running']),
  takenTo: z.string().nullable(),
  taken: z.number(),
});

/** Undefined where another process took the page, or the wave was cancelled. */
async function takePage(
  database: Pick<Database, 'transaction'>,
  wave: Wave,
  size: number,
): Promise<z.output<typeof TakenRow> | undefined> {
  const { id, cohort, inviteCode, cut, startedAt, takenTo } = wave;
  const ours = sql`wave_id = ${id}::uuid and state = 'starting' and taken_to is not distinct from ${takenTo}::uuid`;
  const page = judgedPage({ cohort, inviteCode, cut, startedAt }, { after: takenTo ?? FIRST, size });
  const results = await database.transaction([
    // A statement of its own: the one after it sees what whoever held the row has done.
    sql`select from sallyport_waves where wave_id = ${id}::uuid for update`,
    sql`with ${page}, ${cohortOf(ours, cohort.limit)},
        ended as (
          update sallyport_invitations i set ended_at = now(), end_reason = 'superseded' from cohort
          where i.user_id = cohort.user_id and i.ended_at is null and not ${inWave(sql`i.user_id`)}
          returning 1
        ),
        inserted as (
          -- By ids, so that two waves do not wait for each other. The count has it done after what it would meet.
          insert into sallyport_invitations (wave_id, user_id, tenant_id, unsubscribed_at)
          select ${id}::uuid, user_id, tenant_id, ${EARLIER_OPT_OUT} from cohort where (select count(*) from ended) >= 0 order by user_id
          on conflict (user_id) where ended_at is null do nothing returning 1
        )
        update sallyport_waves set taken = taken + (select count(*) from inserted), judged_since = now(),
          taken_to = coalesce((select user_id from page order by user_id desc limit 1), taken_to),
          state = case when (select count(*) from page) < ${size}::int then 'running' else state end
        where ${ours} returning state, taken_to as "takenTo", taken`,
  ]);
  return parseRows(results.at(-1)?.rows ?? [], TakenRow)[0];
}

/** The people of the page that the wave takes: never more than its limit, whoever has changed since that was measured. */
function cohortOf(ours: Sql, limit: number | null): Sql {
  const most =
    limit === null
      ? sql``
      : sql`order by lot, user_id limit (select greatest(${limit}::int - taken, 0) from sallyport_waves where ${ours})`;
  return sql`cohort as materialized (
    select user_id, tenant_id from judged where reason is null and exists (select from sallyport_waves where ${ours}) ${most}
  )`;
}

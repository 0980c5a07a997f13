import * as z from 'zod';
import { sql } from '../../../shared/ports/database.ts';
import type { ZitadelDatabase } from '../database/open.ts';
import { SAMPLES, type Finding } from './findings.ts';
import { REDUCES, reduces } from './reducers.ts';

const EventType = z.object({
  instance: z.string(),
  type: z.string(),
  events: z.number(),
  /** Text: a numeric of Postgres keeps more digits than a number. */
  newest: z.string(),
  at: z.date(),
});

export type EventType = z.output<typeof EventType>;

/** How many events of each type there are, and the position of the newest: one pass over the store. */
export async function eventTypes(
  zitadel: ZitadelDatabase,
  instances: readonly string[],
): Promise<readonly EventType[]> {
  return zitadel.query(
    sql`select instance_id as instance, event_type as type, count(*) as events, max(position)::text as newest, max(created_at) as at
        from eventstore.events2 where instance_id = any(${[...instances, '']}) group by 1, 2`,
    EventType,
  );
}

const State = z.object({ name: z.string(), instance: z.string(), position: z.string() });

/** An event this young may still be on its way into a projection: each looks for itself once a minute. */
const GRACE_MS = 120_000;

/**
 * Projections that have not reduced the newest event of the types that they reduce. The head of the whole store says nothing: an
 * idle projection stays far behind it and is healthy.
 */
export async function projectionsBehind(
  zitadel: ZitadelDatabase,
  instances: readonly string[],
  types: readonly EventType[],
): Promise<readonly Finding[]> {
  const { catalogue } = zitadel;
  const [clock] = await zitadel.query(sql`select statement_timestamp() as now`, z.object({ now: z.date() }));
  const settled = (clock?.now.getTime() ?? 0) - GRACE_MS;
  const states = await zitadel.query(
    sql`select projection_name as name, instance_id as instance, coalesce(position, 0)::text as position
        from projections.current_states where instance_id = any(${instances})`,
    State,
  );
  const positions = new Map(states.map(({ name, instance, position }) => [`${instance} ${name}`, position]));
  return Object.entries(REDUCES).flatMap(([projection, patterns]) => {
    const name = catalogue.versionOf(projection);
    if (name === null) return [];
    return instances.flatMap((instance) => {
      const position = positions.get(`${instance} projections.${name}`) ?? '0';
      const missed = types.filter(
        (each) =>
          each.instance === instance &&
          reduces(patterns, each.type) &&
          each.at.getTime() < settled &&
          isLess(position, each.newest),
      );
      return missed.length === 0 ? [] : [behind(name, instance, position, missed)];
    });
  });
}

function behind(name: string, instance: string, position: string, missed: readonly EventType[]): Finding {
  const newest = missed.map((each) => each.newest).reduce((one, other) => (isLess(one, other) ? other : one));
  return {
    check: 'projections',
    what: `projections.${name} of instance ${instance}`,
    expected: `position ${newest}`,
    found: `position ${position}`,
    samples: missed.map(({ type }) => type),
    fault: true,
  };
}

/** As often as Zitadel tries before it passes over an event, unless Projections.MaxFailureCount says otherwise. */
const GIVEN_UP = 5;
const Failed = z.object({
  name: z.string(),
  instance: z.string(),
  given_up: z.number(),
  tried: z.number(),
  ids: z.array(z.string()),
});

/**
 * Events that a projection could not reduce. It goes on without one after some attempts, so that its position says nothing; one that
 * succeeded later leaves its line behind, below that number. A fault where rows may be lacking by it, else a note.
 */
export async function eventsFailed(
  zitadel: ZitadelDatabase,
  instances: readonly string[],
): Promise<readonly Finding[]> {
  const { catalogue } = zitadel;
  if (catalogue.nameOf('failed_events') === null) return [];
  const rows = await zitadel.query(
    sql`select projection_name as name, instance_id as instance,
          count(*) filter (where failure_count >= ${GIVEN_UP}::int) as given_up, count(*) as tried,
          (array_agg(concat_ws(' ', aggregate_type, aggregate_id, failed_sequence)
            order by failure_count desc, failed_sequence))[1:${SAMPLES}::int] as ids
        from ${catalogue.table('failed_events')} where instance_id = any(${instances}) group by 1, 2 order by 1, 2`,
    Failed,
  );
  const reducing = new Set(
    Object.keys(REDUCES).map((projection) => `projections.${catalogue.versionOf(projection) ?? ''}`),
  );
  return rows.map(({ name, instance, given_up, tried, ids }) => ({
    check: 'projections',
    what: `${name} of instance ${instance}`,
    expected: 'every event reduced',
    found:
      given_up > 0
        ? `${given_up} passed over after ${GIVEN_UP} attempts or more`
        : `${tried} failed for a time`,
    samples: ids,
    fault: given_up > 0 && reducing.has(name),
  }));
}

/** Of decimals as Postgres writes them, which a number would round. */
export function isLess(one: string, other: string): boolean {
  const [whole = '', fraction = ''] = one.split('.');
  const [otherWhole = '', otherFraction = ''] = other.split('.');
  if (BigInt(whole) !== BigInt(otherWhole)) return BigInt(whole) < BigInt(otherWhole);
  const digits = Math.max(fraction.length, otherFraction.length);
  return fraction.padEnd(digits, '0') < otherFraction.padEnd(digits, '0');
}

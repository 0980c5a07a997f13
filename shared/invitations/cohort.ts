import * as z from 'zod';
import { sql, type Database, type Sql } from '../ports/database.ts';
import { ACROSS, ACTIVE, inTenants, PEOPLE, PROVISIONED, UNMAILABLE } from './people.ts';
import type { Cohort } from './wave.ts';

/** Reasons that leave a person out of a cohort. */
export const LEFT_OUT = [
  'inactive',
  'completed',
  'excluded',
  'in_another_wave',
  'not_provisioned',
  'over_limit',
] as const;
export type LeftOut = (typeof LEFT_OUT)[number];

const HASHES = 2 ** 32;

/**
 * A number from 0 to 2^32 - 1, the same for a person in every wave: a share of all people takes those with the lowest numbers, so that
 * 10 % are among 20 %.
 */
const LOT = sql`('x' || substr(encode(sha256(convert_to(u.user_id::text, 'UTF8')), 'hex'), 1, 8))::bit(32)::bigint`;

/** True for people whom the options name, whatever their state. */
function named({ tenants, percent, role, activeWithinMs }: Cohort): Sql {
  const within = sql`u.last_login_at >= now() - interval '1 millisecond' * ${activeWithinMs}::bigint`;
  return sql`u.deleted_at is null and t.deleted_at is null and ${inTenants(tenants)}
    and ${role === null ? sql`true` : sql`u.role = ${role}::text`} and ${activeWithinMs === null ? sql`true` : within}
    and ${percent === null ? sql`true` : sql`${LOT} < ${Math.round((percent / 100) * HASHES)}::bigint`}`;
}

/** A living invitation of a wave that goes on; `userId`: an expression. */
export function inWave(userId: Sql): Sql {
  return sql`exists (select from sallyport_invitations i join sallyport_waves w on w.wave_id = i.wave_id
    where i.user_id = ${userId} and i.ended_at is null and w.state in ('running', 'paused'))`;
}

/** People whom the options name, with the reason that leaves each out: user_id, tenant_id, slug, email, unmailable, reason. */
function judged(cohort: Cohort, inviteCode: boolean): Sql {
  const people = sql`
    select u.user_id, u.tenant_id, t.slug, u.email, ${LOT} as lot, ${UNMAILABLE} as unmailable,
      case when not ${ACTIVE} then 'inactive' when p.excluded_at is not null then 'excluded' when ${ACROSS} then 'completed'
        when ${inWave(sql`u.user_id`)} then 'in_another_wave'
        when not (${inviteCode}::boolean or ${PROVISIONED}) then 'not_provisioned' end as reason
    from ${PEOPLE} where ${named(cohort)}`;
  if (cohort.limit === null) return people;
  return sql`
    select user_id, tenant_id, slug, email, unmailable,
      case when reason is null and row_number() over (partition by reason order by lot, user_id) > ${cohort.limit}::int
        then 'over_limit' else reason end as reason
    from (${people}) as people`;
}

/** The people that a wave takes if it starts now: user_id, tenant_id. */
export function cohortNow(cohort: Cohort, inviteCode: boolean): Sql {
  return sql`select user_id, tenant_id from (${judged(cohort, inviteCode)}) as judged where reason is null`;
}

const CountRow = z.object({
  slug: z.string(),
  reason: z.enum(LEFT_OUT).nullable(),
  people: z.number(),
  unmailable: z.number(),
});

export interface CohortCounts {
  /** The size of the wave, those without mail included. */
  readonly people: number;
  /** Of these: no mail reaches them. */
  readonly unmailable: number;
  /** By slug. */
  readonly tenants: readonly { readonly tenant: string; readonly people: number }[];
  readonly leftOut: Readonly<Record<LeftOut, number>>;
}

/** What a start now would take. Throws as `Database`. */
export async function countCohort(
  database: Pick<Database, 'query'>,
  cohort: Cohort,
  inviteCode: boolean,
): Promise<CohortCounts> {
  const rows = await database.query(
    sql`select slug, reason, count(*)::int as people, count(*) filter (where unmailable)::int as unmailable
        from (${judged(cohort, inviteCode)}) as judged group by slug, reason order by slug`,
    CountRow,
  );
  const taken = rows.filter(({ reason }) => reason === null);
  const countOf = (reason: LeftOut): number =>
    sum(rows.filter((row) => row.reason === reason).map(({ people }) => people));
  return {
    people: sum(taken.map(({ people }) => people)),
    unmailable: sum(taken.map(({ unmailable }) => unmailable)),
    tenants: taken.map(({ slug, people }) => ({ tenant: slug, people })),
    leftOut: {
      inactive: countOf('inactive'),
      completed: countOf('completed'),
      excluded: countOf('excluded'),
      in_another_wave: countOf('in_another_wave'),
      not_provisioned: countOf('not_provisioned'),
      over_limit: countOf('over_limit'),
    },
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

const PersonRow = z.object({ user: z.string(), tenant: z.string(), email: z.string() });

/** People without an account at the provider, whom a wave without invite codes leaves out. Throws as `Database`. */
export function listNotProvisioned(
  database: Pick<Database, 'query'>,
  cohort: Cohort,
  most: number,
): Promise<z.output<typeof PersonRow>[]> {
  return database.query(
    sql`select user_id as "user", slug as tenant, email from (${judged({ ...cohort, limit: null }, false)}) as judged
        where reason = 'not_provisioned' order by slug, email, user_id limit ${most}::int`,
    PersonRow,
  );
}

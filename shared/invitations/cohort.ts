import * as z from 'zod';
import { sql, type Database, type Sql } from '../ports/database.ts';
import { ACROSS, ACTIVE, PROVISIONED } from './people.ts';
import { Cut, type Cohort } from './wave.ts';

const HASHES = 2 ** 32;

/**
 * A number from 0 to 2^32 - 1, the same for a person in every wave: a share of all people takes those with the lowest numbers, so that
 * 10 % are among 20 %.
 */
const LOT = sql`('x' || substr(encode(sha256(convert_to(u.user_id::text, 'UTF8')), 'hex'), 1, 8))::bit(32)::bigint`;

/** A living invitation of a wave that goes on; `userId`: an expression. */
export function inWave(userId: Sql): Sql {
  return sql`exists (select from sallyport_invitations i join sallyport_waves w on w.wave_id = i.wave_id
    where i.user_id = ${userId} and i.ended_at is null and w.state in ('starting', 'running', 'paused'))`;
}

export interface Asked {
  readonly cohort: Cohort;
  readonly inviteCode: boolean;
  /** Null: there is no limit, or it takes everybody. */
  readonly cut: Cut | null;
  /** When the wave began to start: who was made later is not in it. Null: it has not. */
  readonly startedAt: Date | null;
}

/** People looked at by one statement: a fraction of a second, however many there are. */
export const PAGE = 10_000;
/** Before the first page. */
export const FIRST = '00000000-0000-0000-0000-000000000000';

export interface Page {
  readonly after: string;
  readonly size: number;
}

/** True for people whom the options name, whatever their state. */
function named({ cohort: { percent, role, activeWithinMs }, startedAt }: Asked): Sql {
  const at = sql`coalesce(${startedAt}::timestamptz, now())`;
  const within = sql`u.last_login_at >= ${at} - interval '1 millisecond' * ${activeWithinMs}::bigint`;
  return sql`u.deleted_at is null and t.deleted_at is null
    and ${startedAt === null ? sql`true` : sql`(u.created_at is null or u.created_at <= ${at})`}
    and ${role === null ? sql`true` : sql`u.role = ${role}::text`} and ${activeWithinMs === null ? sql`true` : within}
    and ${percent === null ? sql`true` : sql`${LOT} < ${Math.round((percent / 100) * HASHES)}::bigint`}`;
}

/** Why a person whom the options name is left out; null: they are taken. */
function reasonOf({ inviteCode, cut }: Asked): Sql {
  const over =
    cut === null
      ? sql``
      : sql`when (${LOT}, u.user_id) > (${cut.lot}::bigint, ${cut.user}::uuid) then 'over_limit'`;
  return sql`case when not ${ACTIVE} then 'inactive' when p.excluded_at is not null then 'excluded' when ${ACROSS} then 'completed'
    when ${inWave(sql`u.user_id`)} then 'in_another_wave'
    when not (${inviteCode}::boolean or ${PROVISIONED}) then 'not_provisioned' ${over} end`;
}

/** Over PEOPLE: a start now takes the person, but for a limit. */
export function isTaken(cohort: Cohort, inviteCode: boolean): Sql {
  const asked = { cohort, inviteCode, cut: null, startedAt: null };
  return sql`(${ofTenants(cohort)} and ${named(asked)} and ${reasonOf(asked)} is null)`;
}

function ofTenants({ tenants }: Cohort): Sql {
  return tenants === null ? sql`true` : sql`u.tenant_id = any(${tenants}::uuid[])`;
}

/**
 * CTEs: `page`, the next rows of users of the tenants, and `judged`, those of them whom the options name, with the reason that leaves each
 * out: user_id, tenant_id, slug, email, lot, reason, and `more`, columns over PEOPLE.
 */
export function judgedPage(asked: Asked, { after, size }: Page, more: Sql = sql``): Sql {
  return sql`
    page as materialized (
      select * from users u where u.user_id > ${after}::uuid and ${ofTenants(asked.cohort)} order by u.user_id limit ${size}::int
    ), judged as materialized (
      select u.user_id, u.tenant_id, t.slug, u.email, ${LOT} as lot,
        ${reasonOf(asked)} as reason ${more}
      from page u join tenants t on t.tenant_id = u.tenant_id left join sallyport_people p on p.user_id = u.user_id
      where ${named(asked)}
    )`;
}

export interface Looking {
  /** Gets the number of people looked at so far. */
  readonly onProgress?: (people: number) => void;
  readonly pageSize?: number;
}

export type Reads = Pick<Database, 'query'>;

/** What each page has: `found`, an expression over `judged` whose value is jsonb. Throws as `Database`. */
export async function* pagesOf<T>(
  database: Reads,
  asked: Asked,
  { found, more, row }: { readonly found: Sql; readonly more?: Sql; readonly row: z.ZodType<T> },
  { onProgress, pageSize = PAGE }: Looking,
): AsyncGenerator<T> {
  const Row = z.object({ size: z.number(), last: z.string().nullable(), found: row });
  let seen = 0;
  for (let after = FIRST, left = true; left;) {
    const [page] = await database.query(
      sql`with ${judgedPage(asked, { after, size: pageSize }, more)}
          select (select count(*) from page)::int as size, (select user_id from page order by user_id desc limit 1) as last, ${found} as found`,
      Row,
    );
    if (page === undefined) return;
    yield page.found;
    onProgress?.((seen += page.size));
    left = page.size === pageSize;
    after = page.last ?? after;
  }
}

const BUCKET = 2 ** 16;

/**
 * The last by lot whom a limit takes, by reading everybody twice: how many there are by ranges of lots, then those of the range in
 * which the limit lies. Throws as `Database`.
 */
export async function cutOf(
  database: Reads,
  asked: Omit<Asked, 'cut'>,
  looking: Looking = {},
): Promise<Cut | null> {
  const { limit } = asked.cohort;
  if (limit === null) return null;
  const all = { ...asked, cut: null };
  const taken = sql`from judged where reason is null`;
  const counts = new Uint32Array(HASHES / BUCKET);
  const lots = sql`(select coalesce(jsonb_agg(lot), '[]') ${taken})`;
  for await (const page of pagesOf(database, all, { found: lots, row: z.array(z.number()) }, looking))
    for (const lot of page) {
      const bucket = Math.floor(lot / BUCKET);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
    }
  let [before, at] = [0, 0];
  while (at < counts.length && before + (counts[at] ?? 0) < limit) before += counts[at++] ?? 0;
  if (at === counts.length) return null;
  const near: Cut[] = [];
  const [from, to] = [at * BUCKET, (at + 1) * BUCKET];
  const people = sql`(select coalesce(jsonb_agg(jsonb_build_object('lot', lot, 'user', user_id)), '[]')
    ${taken} and lot >= ${from}::bigint and lot < ${to}::bigint)`;
  for await (const page of pagesOf(database, all, { found: people, row: z.array(Cut) }, looking))
    near.push(...page);
  near.sort((a, b) => a.lot - b.lot || (a.user < b.user ? -1 : 1));
  // Who has left the range since is missed: nobody in it is better than one too many.
  return near[limit - before - 1] ?? near.at(-1) ?? { lot: from - 1, user: FIRST };
}

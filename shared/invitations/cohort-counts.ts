import * as z from 'zod';
import { sql } from '../ports/database.ts';
import { cutOf, pagesOf, type Looking, type Reads } from './cohort.ts';
import { UNMAILABLE } from './people.ts';
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

const PersonRow = z.object({ user: z.string(), tenant: z.string(), email: z.string() });

const CountsRow = z.object({
  groups: z.array(
    z.object({
      slug: z.string(),
      reason: z.enum(LEFT_OUT).nullable(),
      people: z.number(),
      unmailable: z.number(),
    }),
  ),
  without: z.array(PersonRow),
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

export type NotProvisioned = Readonly<z.output<typeof PersonRow>>;

/**
 * What a start now would take, and whom a wave without invite codes leaves out because they have no account at the provider, `listed` of
 * them at most. In pages, so that it may be somebody's who changes meanwhile. Throws as `Database`.
 */
export async function readCohort(
  database: Reads,
  cohort: Cohort,
  inviteCode: boolean,
  { listed = 0, ...looking }: Looking & { readonly listed?: number } = {},
): Promise<{ readonly counts: CohortCounts; readonly notProvisioned: readonly NotProvisioned[] }> {
  const asked = { cohort, inviteCode, startedAt: null };
  const cut = await cutOf(database, asked, looking);
  const found = sql`jsonb_build_object(
    'groups', (select coalesce(jsonb_agg(g), '[]') from (
      select slug, reason, count(*) as people, count(*) filter (where unmailable) as unmailable from judged group by slug, reason) g),
    'without', (select coalesce(jsonb_agg(n), '[]') from (
      select user_id as "user", slug as tenant, email from judged where reason = 'not_provisioned' limit ${listed}::int) n))`;
  const pages = pagesOf(
    database,
    { ...asked, cut },
    { found, more: sql`, ${UNMAILABLE} as unmailable`, row: CountsRow },
    looking,
  );
  const tenants = new Map<string, number>();
  const leftOut: Record<LeftOut, number> = {
    ...{ inactive: 0, completed: 0, excluded: 0, in_another_wave: 0, not_provisioned: 0, over_limit: 0 },
  };
  const without: NotProvisioned[] = [];
  let unmailable = 0;
  for await (const page of pages) {
    for (const { slug, reason, ...group } of page.groups) {
      if (reason === null) {
        tenants.set(slug, (tenants.get(slug) ?? 0) + group.people);
        unmailable += group.unmailable;
      } else leftOut[reason] += group.people;
    }
    without.push(...page.without.slice(0, listed - without.length));
  }
  const bySlug = [...tenants].sort(([a], [b]) => (a < b ? -1 : 1));
  const keyOf = ({ tenant, email, user }: NotProvisioned): string => `${tenant}\n${email}\n${user}`;
  return {
    counts: {
      people: bySlug.reduce((sum, [, people]) => sum + people, 0),
      unmailable,
      tenants: bySlug.map(([tenant, people]) => ({ tenant, people })),
      leftOut,
    },
    notProvisioned: without.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
  };
}

/** Throws as `Database`. */
export async function countCohort(
  database: Reads,
  cohort: Cohort,
  inviteCode: boolean,
  looking: Looking = {},
): Promise<CohortCounts> {
  return (await readCohort(database, cohort, inviteCode, looking)).counts;
}

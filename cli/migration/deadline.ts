import * as z from 'zod';
import type { AuditedAct } from '../../shared/people/audit.ts';
import { isTenant } from '../../shared/people/tenants.ts';
import { sql, type Sql } from '../../shared/ports/database.ts';
import { Failure, UsageError } from '../failure.ts';
import { dated, DAY_ENDS } from '../input.ts';
import { assertTenant, operator, withDatabase } from '../people/ground.ts';
import { print, printJson } from '../terminal.ts';

export interface DeadlineCommand {
  readonly tenant?: string;
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Sets the deadline of one tenant or of all. */
export async function runSet(text: string, options: DeadlineCommand): Promise<void> {
  const deadline = deadlineOf(text);
  if (deadline.getTime() <= Date.now() && options.yes !== true)
    throw new Failure(
      `${deadline.toISOString()} is past: every password would end at once; --yes sets it all the same`,
    );
  await change(deadline, options);
}

/** Takes the deadline of one tenant or of all away. */
export async function runClear(options: DeadlineCommand): Promise<void> {
  await change(null, options);
}

/** A day ends with its last moment in UTC. Throws UsageError. */
export function deadlineOf(text: string): Date {
  const date = dated(text, DAY_ENDS);
  if (date === undefined)
    throw new UsageError(`${text} is no date: write 2027-03-31, or 2027-03-31T12:00:00Z`);
  return date;
}

const ChangedRow = z.object({ slug: z.string() });

async function change(
  deadline: Date | null,
  { tenant, dryRun = false, json }: DeadlineCommand,
): Promise<void> {
  const which = tenant ?? null;
  const tenants = await withDatabase(async ({ database }) => {
    await assertTenant(database, which);
    const due = sql`from tenants t left join sallyport_tenants d on d.tenant_id = t.tenant_id
      where t.deleted_at is null and ${isTenant(which)} and d.deadline is distinct from ${deadline}::timestamptz`;
    return database.query(
      dryRun ? sql`select t.slug ${due} order by t.slug` : changed(deadline, due),
      ChangedRow,
    );
  });
  const slugs = tenants.map(({ slug }) => slug);
  if (json === true) {
    printJson({ deadline, tenants: slugs, changed: slugs.length, dry_run: dryRun });
    return;
  }
  const state = deadline === null ? 'no deadline' : `the deadline ${deadline.toISOString()}`;
  print(
    `${slugs.length} tenants ${dryRun ? 'would have' : 'have'} ${state} now${dryRun ? ', nothing was changed' : ''}`,
  );
  for (const slug of slugs) print(`  ${slug}`);
}

const DEADLINE: AuditedAct = 'deadline';

function changed(deadline: Date | null, due: Sql): Sql {
  return sql`
    with due as (select t.tenant_id, t.slug ${due}),
    noted as (
      insert into sallyport_tenants as d (tenant_id, deadline) select tenant_id, ${deadline}::timestamptz from due
      on conflict (tenant_id) do update set deadline = excluded.deadline),
    recorded as (
      insert into sallyport_audit (who, what, source, detail)
      select ${operator()}::text, ${DEADLINE}::text, 'cli',
        jsonb_build_object('tenant', slug, 'deadline', ${deadline?.toISOString() ?? null}::text) from due)
    select slug from due order by slug`;
}

import * as z from 'zod';
import { MIGRATION } from '../../shared/configuration/providers.ts';
import {
  LEFT_OUT,
  readCohort,
  type CohortCounts,
  type NotProvisioned,
} from '../../shared/invitations/cohort-counts.ts';
import { triggerText } from '../../shared/invitations/steps.ts';
import type { Cohort, Trigger } from '../../shared/invitations/wave.ts';
import { createWave, findWave, WaveNameTaken, type NewWave } from '../../shared/invitations/waves.ts';
import { isTenant } from '../../shared/people/tenants.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import { Failure } from '../failure.ts';
import { withGround } from '../ground.ts';
import { colors, note, print, printJson, progressBar } from '../terminal.ts';
import { by, noteUnmailable, type Output } from './ground.ts';

export interface CreateCommand extends Output {
  readonly tenant?: readonly string[];
  readonly all?: boolean;
  readonly percent?: number;
  readonly role?: string;
  readonly activeWithin?: number;
  readonly limit?: number;
  readonly start: Date;
  readonly deadline?: Date;
  readonly remind?: readonly string[];
  readonly rate?: string;
  readonly stopWhen?: readonly Trigger[];
  readonly inviteCode?: boolean;
}

/** Shown in text; all of them with --json. */
const SHOWN = 20;
const MOST_LISTED = 100_000;

/** Plans a wave, or counts what it would take. */
export async function runCreate(name: string, options: CreateCommand): Promise<void> {
  const { dryRun = false, json } = options;
  await withGround(MIGRATION, async ({ migration }, { database }) => {
    if (options.inviteCode === true && migration.provider !== 'zitadel')
      throw new Failure(
        '--invite-code is of Zitadel: at Kanidm provision people first, by `sallyport users provision`',
      );
    const wave: NewWave = {
      name,
      startAt: options.start,
      deadline: options.deadline ?? null,
      remind: options.remind ?? [],
      rate: options.rate ?? null,
      stopWhen: options.stopWhen ?? [],
      inviteCode: options.inviteCode === true,
      cohort: await cohortOf(options, database),
    };
    await assertDates(wave, database);
    if ((await findWave(database, name)) !== undefined) throw new Failure(taken(name));
    const { counts, notProvisioned: without } = await lookedAt(wave, database);
    if (!dryRun) await create(wave, database);
    if (json === true) printJson(asJson(wave, counts, without, dryRun));
    else report(wave, counts, without, dryRun);
  });
}

async function lookedAt({ cohort, inviteCode }: NewWave, database: Database) {
  const bar = progressBar('looking at people', { long: true });
  try {
    const onProgress = (done: number): void => {
      bar.update(done);
    };
    return await readCohort(database, cohort, inviteCode, { listed: MOST_LISTED, onProgress });
  } finally {
    bar.end();
  }
}

async function create(wave: NewWave, database: Database): Promise<void> {
  try {
    await createWave(database, wave, by());
  } catch (error) {
    throw error instanceof WaveNameTaken ? new Failure(taken(wave.name), { cause: error }) : error;
  }
}

const taken = (name: string): string => `there is a wave ${name} already: \`sallyport waves show ${name}\``;

const TenantRow = z.object({ id: z.string() });

async function cohortOf(options: CreateCommand, database: Database): Promise<Cohort> {
  const tenants: string[] = [];
  for (const named of options.tenant ?? []) {
    const [tenant] = await database.query(
      sql`select t.tenant_id as id from tenants t where ${isTenant(named)} and t.deleted_at is null`,
      TenantRow,
    );
    if (tenant === undefined) throw new Failure(`there is no tenant ${named}: \`sallyport tenants list\``);
    tenants.push(tenant.id);
  }
  const { percent = null, role = null, activeWithin = null, limit = null } = options;
  return {
    tenants: options.tenant === undefined ? null : tenants,
    percent,
    role,
    activeWithinMs: activeWithin,
    limit,
  };
}

const DatesRow = z.object({ past: z.boolean(), before: z.boolean() });

/** By the database's clock. */
async function assertDates({ startAt, deadline }: NewWave, database: Database): Promise<void> {
  const [row] = await database.query(
    sql`select coalesce(${deadline}::timestamptz <= now(), false) as past, coalesce(${deadline}::timestamptz <= ${startAt}::timestamptz, false) as before`,
    DatesRow,
  );
  if (row?.past === true) throw new Failure('the deadline is past');
  if (row?.before === true) throw new Failure('the deadline is before the start');
}

function asJson(
  wave: NewWave,
  counts: CohortCounts,
  without: readonly NotProvisioned[],
  dryRun: boolean,
): object {
  return {
    wave: wave.name,
    state: 'planned',
    dry_run: dryRun,
    start: wave.startAt,
    deadline: wave.deadline,
    remind: wave.remind,
    rate: wave.rate,
    stop_when: wave.stopWhen.map(triggerText),
    invite_code: wave.inviteCode,
    people: counts.people,
    unmailable: counts.unmailable,
    tenants: counts.tenants,
    left_out: counts.leftOut,
    not_provisioned: without,
  };
}

function report(
  wave: NewWave,
  counts: CohortCounts,
  without: readonly NotProvisioned[],
  dryRun: boolean,
): void {
  const { people, tenants, unmailable } = counts;
  print(
    `wave ${wave.name}: ${people} people of ${tenants.length} tenants, as of now; it starts by itself ${wave.startAt.toISOString()}`,
  );
  for (const { tenant, people: own } of tenants.slice(0, SHOWN)) print(`  ${tenant} ${own}`);
  if (tenants.length > SHOWN) print(`  and ${tenants.length - SHOWN} tenants more: --json lists all`);
  for (const reason of LEFT_OUT)
    if (counts.leftOut[reason] > 0)
      print(`left out, ${reason.replaceAll('_', ' ')}: ${counts.leftOut[reason]}`);
  for (const { tenant, email } of without.slice(0, SHOWN)) print(`  ${tenant} ${email}`);
  if (without.length > SHOWN) print(`  and ${without.length - SHOWN} more: --json lists all`);
  if (without.length > 0)
    note('these have no account at the provider: `sallyport users provision` makes them');
  noteUnmailable(wave.name, unmailable);
  if (people === 0) note(`${colors.yellow('warning:')} nobody would be in it now`);
  print(dryRun ? 'nothing was changed' : `planned: \`sallyport waves start ${wave.name}\` starts it now`);
}

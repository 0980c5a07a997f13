import * as z from 'zod';
import { sql } from '../../shared/ports/database.ts';
import { ROLLBACK } from '../../shared/provisioning/rollback.ts';
import { openBooks, PEOPLE } from '../../shared/provisioning/run.ts';
import { processes } from '../deps.ts';
import { Failure } from '../failure.ts';
import { withDatabase } from '../people/ground.ts';
import { colors, print, printJson } from '../terminal.ts';
import { outcomeLine, outcomesOf } from './outcomes.ts';

export interface RunsCommand {
  readonly json?: boolean;
  readonly limit: number;
}

const RunRow = z.object({
  run: z.string(),
  kind: z.string(),
  provider: z.string().nullable(),
  tenant: z.string().nullable(),
  state: z.string(),
  started_at: z.date(),
  updated_at: z.date(),
  counts: z.record(z.string(), z.number()),
});
type RunRow = z.output<typeof RunRow>;

/** `under way`: a process has it. `cut off`: none has. */
type Shown = RunRow & { readonly process: 'under way' | 'cut off' | null };

const KINDS = [PEOPLE.name, ROLLBACK.name];

/** Prints runs, newest first. */
export async function runRuns({ json, limit }: RunsCommand): Promise<void> {
  const runs = await withDatabase(async ({ database }) => {
    const rows = await database.query(
      sql`select r.run_id as run, coalesce(r.plan ->> 'kind', r.kind) as kind, r.plan ->> 'provider' as provider,
            r.plan ->> 'tenant' as tenant, r.state, r.started_at, r.updated_at,
            coalesce((select jsonb_object_agg(l.state, l.count) from (
              select state, count(*) from sallyport_ledger where run_id = r.run_id group by state) as l), '{}') as counts
          from sallyport_runs r where r.kind = any(${KINDS}) order by r.started_at desc limit ${limit}::int`,
      RunRow,
    );
    const holder = await openBooks(database, { processes }).lease.holder();
    const living = holder === undefined || holder.dead ? undefined : holder.runId;
    return rows.map((row): Shown => {
      const open = ['listing', 'running', 'undoing'].includes(row.state);
      return { ...row, process: row.run === living ? 'under way' : open ? 'cut off' : null };
    });
  });
  if (json === true) printJson(runs);
  else if (runs.length === 0) print('no runs');
  else for (const run of runs) print(lineOf(run));
}

function lineOf({ run, kind, provider, tenant, state, started_at, counts, process }: Shown): string {
  const shown = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  const where = [
    provider === null ? '' : ` at ${provider}`,
    tenant === null ? '' : `, tenant ${tenant}`,
  ].join('');
  const how = process === null ? state : `${state}, ${process}`;
  return `${run} ${started_at.toISOString()} ${kind}${where}: ${process === 'cut off' ? colors.yellow(how) : how}${
    shown.length === 0 ? '' : colors.dim(` (${shown.join(', ')})`)
  }`;
}

const IdRow = z.object({ id: z.string() });

/** Prints the people of a run whose outcome is more than that it is done. */
export async function runOutcomes(run: string, { json }: Pick<RunsCommand, 'json'>): Promise<void> {
  const outcomes = await withDatabase(async ({ database }) => {
    const known = await database.query(
      sql`select run_id as id from sallyport_runs where run_id = ${run} and kind = any(${KINDS})`,
      IdRow,
    );
    if (known.length === 0) throw new Failure(`there is no run ${run}: \`sallyport users runs\``);
    return outcomesOf(database, run);
  });
  if (json === true) printJson(outcomes);
  else if (outcomes.length === 0) print('everybody is done, and nothing more is to be said');
  else for (const outcome of outcomes) print(outcomeLine(outcome).trimStart());
}

import * as z from 'zod';
import { empty, json, sql, type Database, type Sql } from '../ports/database.ts';
import type { JobDetail } from './job.ts';
import type { Lease } from './lease.ts';

/** Long work, begun once and completed by one process after another. */
export interface Run<Plan, State extends string> {
  readonly id: string;
  /** Identifies the request, so that a repeat finds the run. */
  readonly fingerprint: string;
  /** Everything a process needs to resume it. */
  readonly plan: Plan;
  /** The current step. */
  readonly state: State;
  /** Completed work of the step. */
  readonly progress: number;
}

export interface RunKind<Plan, State extends string> {
  readonly name: string;
  readonly plan: z.ZodType<Plan>;
  readonly states: readonly State[];
  /** Final states. */
  readonly ended: readonly State[];
  /** The final state in which everything is as before the run. */
  readonly undone: State;
}

/** Records of runs of one kind. Every change is conditional on the lease. */
export interface Runs<Plan, State extends string> {
  find(id: string): Promise<Run<Plan, State> | undefined>;
  /** The run that has not ended. */
  unfinished(): Promise<Run<Plan, State> | undefined>;
  /** The latest run that is not undone. */
  latest(): Promise<Run<Plan, State> | undefined>;
  /** Later runs that are not undone. */
  after(id: string): Promise<readonly Run<Plan, State>[]>;
  /** Throws LeaseLost. */
  create(run: Omit<Run<Plan, State>, 'progress'>): Promise<void>;
  /** Throws LeaseLost. */
  remove(id: string): Promise<void>;
  /** Records the progress; a resume starts from there. Renews the lease. Throws LeaseLost. */
  advance(id: string, state: State, progress: number, report?: JobDetail): Promise<void>;
}

export function openRuns<Plan, State extends string>(
  database: Pick<Database, 'query'>,
  lease: Pick<Lease, 'write'>,
  { name, plan, states, ended, undone }: RunKind<Plan, State>,
): Runs<Plan, State> {
  const row = z.object({
    id: z.string(),
    fingerprint: z.string(),
    plan,
    state: z.enum(states),
    progress: z.number(),
  });
  const select = (where: Sql, limit = empty): Promise<Run<Plan, State>[]> =>
    database.query(
      sql`select run_id as id, fingerprint, plan, state, progress from sallyport_runs
          where kind = ${name} and ${where} order by started_at desc ${limit}`,
      row,
    );
  const first = async (where: Sql) => (await select(where, sql`limit 1`))[0];
  return {
    find: (id) => first(sql`run_id = ${id}`),
    unfinished: () => first(sql`not state = any(${ended})`),
    latest: () => first(sql`state <> ${undone}`),
    after: (id) =>
      select(
        sql`state <> ${undone} and started_at > (select started_at from sallyport_runs where run_id = ${id})`,
      ),
    create: (run) =>
      lease.write(sql`
        insert into sallyport_runs (run_id, kind, fingerprint, plan, state)
        select ${run.id}::uuid, ${name}, ${run.fingerprint}, ${json(run.plan)}::jsonb, ${run.state} from held`),
    remove: (id) =>
      lease.write(sql`delete from sallyport_runs where run_id = ${id} and exists (select from held)`),
    advance: (id, state, progress, report) =>
      lease.write(sql`
        update sallyport_runs set state = ${state}, progress = ${progress}::int, updated_at = now()
          ${report === undefined ? empty : sql`, report = ${json(report)}`}
        where run_id = ${id} and exists (select from held)`),
  };
}

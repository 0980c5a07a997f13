import * as z from 'zod';
import { json, sql, type Database } from '../../shared/ports/database.ts';
import { changesSchema, type Changes } from './changes.ts';

const STATES = [
  'snapshot',
  'expanding',
  'expanded',
  'contracting',
  'done',
  'restoring',
  'removing',
  'restored',
] as const;
export type RunState = (typeof STATES)[number];

const runSchema = z.object({
  run_id: z.string(),
  fingerprint: z.string(),
  changes: changesSchema,
  state: z.enum(STATES),
  /** Tuples of the state's work that are done; of a run that is `done`, those its count did not find where they belong. */
  progress: z.number(),
});

export type Run = z.output<typeof runSchema>;

/** Another run took over: this one must not write any more. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

export const LEASE_MS = 10_000;

/** The books on runs. Every change of a run is one statement that holds only while this process has the lease. */
export interface Runs {
  /** False while another process has it. */
  acquire(): Promise<boolean>;
  release(): Promise<void>;
  /** Renews the lease, by the database's clock. Throws LeaseLost. */
  hold(): Promise<void>;
  /** Milliseconds after which it is to be renewed at the latest; 0: by its writes alone. */
  readonly heartbeatMs: number;
  find(runId: string): Promise<Run | undefined>;
  /** The one that was begun and neither finished nor undone. */
  unfinished(): Promise<Run | undefined>;
  /** The latest that is not undone. */
  latest(): Promise<Run | undefined>;
  /** Those begun later that are not undone. */
  after(runId: string): Promise<readonly Run[]>;
  /** Throws LeaseLost. */
  create(run: {
    readonly runId: string;
    readonly fingerprint: string;
    readonly changes: Changes;
  }): Promise<void>;
  /** Throws LeaseLost. */
  remove(runId: string): Promise<void>;
  /** Also renews the lease. Throws LeaseLost. */
  advance(runId: string, state: RunState, progress: number): Promise<void>;
}

const COLUMNS = sql`run_id, fingerprint, changes, state, progress`;

export function openRuns(database: Database, holder: string, leaseMs = LEASE_MS): Runs {
  const lease = sql`interval '1 millisecond' * ${leaseMs}::int`;
  // Who took over has put another holder there, or has taken the row away; the row is locked until the statement is through.
  const mine = sql`mine as (
    update sallyport_feature_lease set expires_at = now() + ${lease} where holder = ${holder} returning 1)`;
  const held = async (statement: ReturnType<typeof sql>): Promise<void> => {
    if ((await database.execute(statement)) === 0) throw new LeaseLost('another feature sync has taken over');
  };
  const one = async (where: ReturnType<typeof sql>): Promise<Run | undefined> => {
    const rows = await database.query(
      sql`select ${COLUMNS} from sallyport_feature_runs where ${where} order by started_at desc limit 1`,
      runSchema,
    );
    return rows[0];
  };
  return {
    async acquire() {
      const taken = await database.execute(sql`
        insert into sallyport_feature_lease values (1, ${holder}, now() + ${lease})
        on conflict (id) do update set holder = excluded.holder, expires_at = excluded.expires_at
        where sallyport_feature_lease.expires_at <= now() or sallyport_feature_lease.holder = excluded.holder`);
      return taken > 0;
    },
    async release() {
      await database.execute(sql`delete from sallyport_feature_lease where holder = ${holder}`);
    },
    hold: () => held(sql`with ${mine} select from mine`),
    heartbeatMs: leaseMs / 3,
    find: (runId) => one(sql`run_id = ${runId}`),
    unfinished: () => one(sql`state not in ('done', 'restored')`),
    latest: () => one(sql`state <> 'restored'`),
    after: (runId) =>
      database.query(
        sql`select ${COLUMNS} from sallyport_feature_runs where state <> 'restored' and started_at >
            (select started_at from sallyport_feature_runs where run_id = ${runId})`,
        runSchema,
      ),
    async create({ runId, fingerprint, changes }) {
      await held(sql`
        with ${mine}
        insert into sallyport_feature_runs (run_id, fingerprint, changes, state)
        select ${runId}::uuid, ${fingerprint}, ${json(changes)}::jsonb, 'snapshot' from mine`);
    },
    async remove(runId) {
      await held(
        sql`with ${mine} delete from sallyport_feature_runs where run_id = ${runId} and exists (select from mine)`,
      );
    },
    async advance(runId, state, progress) {
      await held(sql`
        with ${mine}
        update sallyport_feature_runs set state = ${state}, progress = ${progress}::int, updated_at = now()
        where run_id = ${runId} and exists (select from mine)`);
    },
  };
}

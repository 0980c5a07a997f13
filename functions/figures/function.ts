import * as z from 'zod';
import type { Deps } from '../../shared/deps.ts';
import type { Brought } from '../../shared/edge/function.ts';
import { keepNotesAlone, refreshFigures } from '../../shared/figures/refresh.ts';
import { openTokenTimes } from '../../shared/figures/token-times.ts';
import { sql, type Database } from '../../shared/ports/database.ts';
import type { Metrics } from '../../shared/ports/metrics.ts';
import type { Job } from '../../shared/runs/job.ts';
import type { FIGURES, FiguresConfig } from './slice.ts';

type Needs = Pick<Deps, 'database' | 'platform' | 'clock'> & { readonly config: FiguresConfig };

export interface Figures extends Brought {
  /** Counts how long the check of a token took, in microseconds; absent where nothing shows it. */
  readonly tokenChecked?: (us: number) => void;
}

/** Keeps the figures of the move. */
export function createFigures({ config, database, platform, clock }: Needs): Figures {
  if (database === null) return {};
  if (config.figuresWanted) measureAge(platform.metrics, database);
  const times = config.figuresWanted
    ? openTokenTimes({ database, clock, background: platform.background })
    : undefined;
  return {
    ...(times !== undefined && { tokenChecked: times.add, close: times.flush }),
    jobs: { 'figures-rollup': rollupJob(config, database) } satisfies Record<
      keyof typeof FIGURES.schedule,
      Job
    >,
  };
}

const Noted = z.object({ changes: z.number() });

/** Days that counts of token checks are kept. */
const KEPT_DAYS = 400;

/** Takes in what has changed since the last run; the first one counts everybody, over as many runs as it takes. */
export function rollupJob({ figuresWanted }: FiguresConfig, database: Database): Job {
  return {
    async run({ signal, dryRun }) {
      if (dryRun) {
        const [noted] = await database.query(
          sql`select count(*)::int as changes from sallyport_changes`,
          Noted,
        );
        return { changes: noted?.changes ?? 0, wanted: figuresWanted };
      }
      await database.execute(
        sql`delete from sallyport_token_checks where day < (now() - interval '1 day' * ${KEPT_DAYS}::int)::date`,
      );
      if (!figuresWanted) {
        await keepNotesAlone(database);
        return { state: 'not wanted: analytics is not among FUNCTIONS' };
      }
      const { state, people } = await refreshFigures(database, { signal });
      return { state, people };
    },
  };
}

const Age = z.object({ seconds: z.number() });

/** While it cannot be read, or there are none yet, there is no sample. */
function measureAge(metrics: Metrics, database: Pick<Database, 'query'>): void {
  metrics.gauge('sallyport_figures_age_seconds', 'Since the figures were last true.', 'scope', async () => {
    const rows = await database
      .query(
        sql`select extract(epoch from now() - as_of)::float8 as seconds from sallyport_figures_state where as_of is not null`,
        Age,
      )
      .catch(() => []);
    return new Map(rows.map(({ seconds }) => ['all', seconds]));
  });
}

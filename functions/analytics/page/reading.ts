import { standingAlarms } from '../../../shared/figures/alarms.ts';
import { readPending } from '../../../shared/figures/pending.ts';
import { readDaily, readFunnel, readOverall, readTenants } from '../../../shared/figures/read.ts';
import type { Scope } from '../../../shared/figures/scope.ts';
import { forecastOf, kpisOf, readCourse } from '../../../shared/figures/kpis.ts';
import { readWaves } from '../../../shared/figures/waves.ts';
import { migrationPaused } from '../../../shared/people/tenants.ts';
import type { Database } from '../../../shared/ports/database.ts';
import type { Overview } from './model.ts';

const DAYS = 30;
/** What is done about tenants is looked for among so many. */
const TENANTS = 100;
const STUCK = 6;

/** Everything at a glance, of one snapshot. Throws as `Database`. */
export async function readOverview(
  database: Database,
  scope: Scope,
  ticketsTaken: boolean,
): Promise<Overview> {
  const [paused, alarms] = await Promise.all([
    migrationPaused(database),
    scope === 'all' ? standingAlarms(database) : [],
  ]);
  const [overall, tenants, daily, funnel, waves, stuck, kpis, forecast] = await ofOneSnapshot(
    async () => {
      const course = readCourse(database, scope, { ticketsTaken });
      return Promise.all([
        readOverall(database, scope),
        readTenants(database, scope, { limit: TENANTS }),
        readDaily(database, scope, DAYS),
        readFunnel(database, scope, null),
        readWaves(database, scope),
        readPending(database, scope, { limit: STUCK, list: 'unreachable' }),
        course.then(kpisOf),
        course.then(forecastOf),
      ]);
    },
    (all) => all,
  );
  const judged = { kpis: kpis.rows, forecast: forecast.values, alarms };
  return { overall, tenants, daily, funnel, waves, stuck, judged, paused };
}

/** Anything with the time of its figures. */
interface Dated {
  readonly as_of: string | null;
}

/** Refreshes are minutes apart: a second one in a row of reads is a fault of the database. */
const TRIES = 4;

/**
 * Reads figures of one snapshot. Each read is one statement and carries the time of its figures, which are published by one commit: reads
 * of the same time belong together, and where a refresh came between them all are read again. Throws as `read`.
 */
export async function ofOneSnapshot<T>(
  read: () => Promise<T>,
  figuresOf: (all: T) => readonly Dated[],
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    const all = await read();
    const times = new Set(figuresOf(all).map(({ as_of }) => as_of));
    if (times.size <= 1) return all;
    if (tries === TRIES) throw new Error('figures change faster than they are read');
  }
}

import { standingAlarms } from '../../../shared/figures/alarms.ts';
import { readPending } from '../../../shared/figures/pending.ts';
import { readDaily, readFunnel, readOverall, readTenants } from '../../../shared/figures/read.ts';
import type { Scope } from '../../../shared/figures/scope.ts';
import { forecastOf, kpisOf, readCourse } from '../../../shared/figures/kpis.ts';
import { readWaves } from '../../../shared/figures/waves.ts';
import { migrationPaused } from '../../../shared/people/tenants.ts';
import type { Database } from '../../../shared/ports/database.ts';
import type { Overview } from './model.ts';
import { ofOneSnapshot } from './snapshot.ts';

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

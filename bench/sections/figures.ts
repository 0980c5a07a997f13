import { createAnalytics } from '../../functions/analytics/function.ts';
import type { OwnRoute } from '../../shared/edge/frame.ts';
import { refreshFigures } from '../../shared/figures/refresh.ts';
import { sql, type Database, type Sql } from '../../shared/ports/database.ts';
import { change, openPopulation, type Population } from '../crossing/people.ts';
import { cells, median, verdict, type SectionResult, type Table } from '../figures.ts';
import { race, timed, timeRatio, type Side } from '../lifecycle/sides.ts';
import { postgresFolder, startPostgresServer } from '../servers/stores.ts';

export interface FiguresOptions {
  readonly users: number;
  readonly rounds: number;
}

const SECTION = 'figures';
/** Of one turn of a refresh. */
const CHANGES = 1_000;
/** What ratios to queries are promised for: fewer users are counted faster. */
const PROMISED_USERS = 10_000_000;
const TIMES = 20;

/** The queries that figures equal, as the plan of the move has them; of the list its first page. */
const QUERIES: Readonly<Record<string, Sql>> = {
  overall: sql`select count(*), count(*) filter (where auth_method = 'kanidm'), count(*) filter (where auth_method = 'dual'),
    count(*) filter (where auth_method = 'password') from users where deleted_at is null`,
  tenants: sql`select t.name, count(*) filter (where u.auth_method = 'password'), count(*) filter (where u.auth_method = 'kanidm'),
      count(*) filter (where u.auth_method = 'dual'),
      round(100.0 * count(*) filter (where u.auth_method in ('kanidm', 'dual')) / count(*), 2) as percent
    from users u join tenants t on t.tenant_id = u.tenant_id where u.deleted_at is null
    group by t.tenant_id, t.name order by percent desc`,
  daily: sql`select date(migration_completed_at) as day, count(*) from users
    where migration_completed_at >= current_date - interval '30 days' group by date(migration_completed_at) order by day desc`,
  pending: sql`select email, full_name, last_login_at, migration_invited_at from users
    where auth_method = 'password' and deleted_at is null order by last_login_at desc nulls last limit 100`,
};

/** What reading figures costs beside counting, and whether a refresh costs the same however many users there are. */
export async function measureFigures({ users, rounds }: FiguresOptions): Promise<SectionResult> {
  const folder = postgresFolder();
  if (folder === undefined)
    return { section: SECTION, tables: [], verdicts: [], notes: ['left out: no Postgres is installed'] };
  const postgres = await startPostgresServer(folder);
  try {
    console.error(`measuring: figures of ${users / 10} and of ${users} users`);
    const fewer = await openPopulation(postgres, users / 10);
    const all = await openPopulation(postgres, users);
    const routes = await measureRoutes(all, rounds);
    const refresh = await measureRefresh(fewer, all, rounds * 3);
    await Promise.all([fewer, all].map(({ database }) => database.close()));
    return {
      section: SECTION,
      tables: [routes.table, refresh.table],
      verdicts: [...routes.verdicts, ...refresh.verdicts],
      notes: [
        `counting ${users} users for the first time took ${(all.firstMs / 1_000).toFixed(0)} s`,
        'a route is measured without the network: its access, its query, its answer as text',
        ...(users < PROMISED_USERS ? [`ratios to queries are promised for ${PROMISED_USERS} users`] : []),
      ],
    };
  } finally {
    await postgres.stop();
  }
}

function measuredRoutes(database: Database): readonly OwnRoute[] {
  const caller = { user: 'user:bench', subject: 'bench', issuer: 'session', tenants: () => [] };
  const { routes = [] } = createAnalytics(
    {
      database,
      relations: { check: () => true, ping: () => Promise.resolve() },
      platform: { asset: () => Promise.reject(new Error('no asset is measured')) },
      asCaller: async (_request, _context, answer) => answer(caller),
    },
    {
      mailEventsSecret: null,
      passwordDoor: false,
      clients: [],
      brand: { product: 'Bench', supportEmail: null, guideUrl: null },
    },
  );
  // Pages whose path names something are made of the same reads.
  const measured = (path: string): boolean => !/(?:\.csv|\/|sign-in)$/.test(path);
  return routes.filter(({ path, methods }) => methods.includes('GET') && measured(path));
}

async function measureRoutes({ database, users }: Population, rounds: number) {
  const rows: string[][] = [];
  const verdicts: SectionResult['verdicts'][number][] = [];
  for (const route of measuredRoutes(database)) {
    const name = route.path.slice(route.path.lastIndexOf('/') + 1);
    const answer = answered(route);
    await answer();
    const ours: number[] = [];
    for (let time = 0; time < TIMES * rounds; time += 1) ours.push(await timed(answer));
    verdicts.push(verdict(`figures: ${route.path}`, ours, { atMost: 50 }, 'ms'));
    const query = QUERIES[name];
    const theirs: number[] = [];
    for (let time = 0; query !== undefined && time < rounds; time += 1)
      theirs.push(await timed(() => database.execute(query).then(() => undefined)));
    const times = median(theirs) / median(ours);
    if (query !== undefined && users >= PROMISED_USERS)
      verdicts.push(verdict(`figures: ${route.path}, times as fast as the query`, times, { atLeast: 100 }));
    const beside = query === undefined ? ['', ''] : [median(theirs).toFixed(0), times.toFixed(0)];
    rows.push([route.path, ...cells(ours, 2), ...beside]);
  }
  const columns = ['route', 'ms', 'from–to', 'the query, ms', 'times'];
  const table: Table = { title: `Figures of ${users} users`, columns, rows };
  return { table, verdicts };
}

function answered(route: OwnRoute): () => Promise<void> {
  const request = new Request(`http://127.0.0.1${route.path}`);
  const context = {
    id: 'bench',
    address: '127.0.0.1',
    body: () => Promise.resolve(new Uint8Array()),
    setCookies: () => undefined,
  };
  return async () => {
    const answer = await route.answer(request, context);
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`${route.path} answered ${answer.status} ${text}`);
  };
}

function refreshed({ database }: Population): Side {
  return async () => {
    await change(database, CHANGES);
    return timed(async () => {
      const { state } = await refreshFigures(database);
      if (state !== 'current') throw new Error(`the figures are ${state}`);
    });
  };
}

async function measureRefresh(fewer: Population, all: Population, rounds: number) {
  const [small, large] = [`${fewer.users} users`, `${all.users} users`];
  for (const warm of [refreshed(fewer), refreshed(all)]) await warm();
  const laps = await race(
    [
      [small, refreshed(fewer)],
      [large, refreshed(all)],
    ],
    rounds,
  );
  const ratio = timeRatio(laps, large, small);
  const rows = [...laps].map(([name, ms]) => [name, ...cells(ms, 1)]);
  const table: Table = {
    title: `A refresh after ${CHANGES} changes`,
    columns: ['of', 'ms', 'from–to'],
    rows,
  };
  return {
    table,
    verdicts: [verdict('figures: a refresh, of one with a tenth of the users', ratio, { atMost: 1.2 })],
  };
}

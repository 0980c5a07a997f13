import { LISTS } from '../../shared/figures/classes.ts';
import { readPending } from '../../shared/figures/pending.ts';
import { readDaily, readFunnel, readOverall, readTenants } from '../../shared/figures/read.ts';
import { waveOf } from '../../shared/figures/waves.ts';
import { Refusal } from '../../shared/errors.ts';
import { numberIn, wordIn, type FiguresRoute } from './routes.ts';

const PAGE = { usual: 100, least: 1, most: 1_000 };
const CSV_PAGE = PAGE.most;
const DAYS = { usual: 30, least: 1, most: 3_660 };

const overall: FiguresRoute = {
  name: 'overall',
  columns: [
    ...['total_users', 'kanidm_only', 'dual_auth', 'password_only', 'migration_percent', 'provisioned'],
    ...['invited', 'completed', 'dormant', 'excluded', 'unreachable', 'as_of', 'active', 'settled'],
  ],
  async read({ database, viewer }) {
    const { as_of, values } = await readOverall(database, viewer.scope);
    return { as_of, values: { ...values, as_of } };
  },
};

const tenants: FiguresRoute = {
  name: 'tenants',
  columns: [
    ...['tenant_name', 'password_users', 'kanidm_users', 'dual_users', 'migration_percent', 'slug'],
    ...['deadline', 'confirmed', 'completed', 'total_users', 'excluded', 'active', 'settled', 'tenant_id'],
  ],
  csvPage: CSV_PAGE,
  read: ({ database, viewer, query }) =>
    readTenants(database, viewer.scope, {
      limit: numberIn(query, 'limit', PAGE),
      cursor: query.get('cursor') ?? undefined,
    }),
};

const daily: FiguresRoute = {
  name: 'daily',
  columns: [
    ...['migration_date', 'users_migrated', 'invited', 'password_logins', 'oauth_logins', 'oauth_failures'],
  ],
  read: ({ database, viewer, query }) => readDaily(database, viewer.scope, numberIn(query, 'days', DAYS)),
};

const pending: FiguresRoute = {
  name: 'pending',
  columns: [
    ...['email', 'full_name', 'last_login_at', 'migration_invited_at', 'state', 'why', 'tenant', 'user_id'],
  ],
  csvPage: CSV_PAGE,
  read({ database, viewer, query }) {
    const list = wordIn(query, 'state', LISTS);
    return readPending(database, viewer.scope, {
      limit: numberIn(query, 'limit', PAGE),
      cursor: query.get('cursor') ?? undefined,
      ...(list !== undefined && { list }),
    });
  },
};

const funnel: FiguresRoute = {
  name: 'funnel',
  columns: ['step', 'count', 'rate', 'median_days'],
  async read({ database, viewer, query }) {
    const named = query.get('wave');
    const wave = named === null ? null : await waveOf(database, named);
    if (wave === undefined) throw new Refusal('not_found', 'no such wave');
    return readFunnel(database, viewer.scope, wave);
  },
};

export const FIGURES: readonly FiguresRoute[] = [overall, tenants, daily, pending, funnel];

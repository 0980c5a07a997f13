import { sql, type Sql } from '../../shared/ports/database.ts';

/** The queries that figures have to equal, as the plan of the move has them. */
export const QUERY = {
  overall: sql`WITH stats AS (
    SELECT COUNT(*) AS total_users,
      COUNT(*) FILTER (WHERE auth_method = 'kanidm') AS kanidm_only,
      COUNT(*) FILTER (WHERE auth_method = 'dual') AS dual_auth,
      COUNT(*) FILTER (WHERE auth_method = 'password') AS password_only
    FROM users WHERE deleted_at IS NULL
  ) SELECT *, ROUND(100.0 * (kanidm_only + dual_auth) / nullif(total_users, 0), 2) AS migration_percent FROM stats`,
  tenants: sql`SELECT t.name AS tenant_name,
      COUNT(*) FILTER (WHERE u.auth_method = 'password') AS password_users,
      COUNT(*) FILTER (WHERE u.auth_method = 'kanidm') AS kanidm_users,
      COUNT(*) FILTER (WHERE u.auth_method = 'dual') AS dual_users,
      ROUND(100.0 * COUNT(*) FILTER (WHERE u.auth_method IN ('kanidm', 'dual')) / COUNT(*), 2) AS migration_percent
    FROM users u JOIN tenants t ON u.tenant_id = t.tenant_id
    WHERE u.deleted_at IS NULL GROUP BY t.tenant_id, t.name ORDER BY migration_percent DESC`,
  pending: sql`SELECT email, full_name, last_login_at, migration_invited_at FROM users
    WHERE auth_method = 'password' AND deleted_at IS NULL ORDER BY last_login_at DESC NULLS LAST`,
  daily: sql`SELECT DATE(migration_completed_at) AS migration_date, COUNT(*) AS users_migrated FROM users
    WHERE migration_completed_at >= CURRENT_DATE - INTERVAL '30 days'
    GROUP BY DATE(migration_completed_at) ORDER BY migration_date DESC`,
} as const satisfies Record<string, Sql>;

/** What else is counted, by the words of the move. */
export const WORDS = sql`select count(*) filter (where u.kanidm_user_id is not null
      or exists (select from sallyport_links l where l.user_id = u.user_id)) as provisioned,
    count(u.migration_invited_at) as invited, count(u.migration_completed_at) as completed,
    count(*) filter (where coalesce(u.last_login_at, u.created_at) <= now() - interval '180 days') as dormant,
    count(p.excluded_at) as excluded, count(*) filter (where p.flags ? 'unreachable') as unreachable,
    count(*) filter (where u.status = 'active') as active,
    count(*) filter (where u.status = 'active' and (u.migration_completed_at is not null or p.excluded_at is not null)) as settled
  from users u left join sallyport_people p on p.user_id = u.user_id where u.deleted_at is null`;

import { sql, type Sql } from '../ports/database.ts';
import { deadlineOf, MIGRATION_SWITCH } from '../people/tenants.ts';

/**
 * The deadline of a wave for one of its people; `userId`: an expression. Null for whom it does not bind: who has got no link of it yet,
 * and people of a wave that is planned or was cancelled.
 */
function waveDeadlineOf(userId: Sql): Sql {
  return sql`(select min(w.deadline) from sallyport_invitations i join sallyport_waves w on w.wave_id = i.wave_id
    where i.user_id = ${userId} and i.queued_at is not null and w.state in ('running', 'paused', 'done')
      and (i.end_reason is null or i.end_reason = 'completed'))`;
}

/** The earliest deadline that binds a person: that of the tenant or of the wave; both arguments are expressions. */
export function personDeadlineOf(userId: Sql, tenantId: Sql): Sql {
  // LEAST passes over nulls.
  return sql`least(${deadlineOf(tenantId)}, ${waveDeadlineOf(userId)})`;
}

/** True where a person's password has ended. Never while the migration is paused. */
export function personDeadlinePassed(userId: Sql, tenantId: Sql): Sql {
  return sql`(coalesce(${personDeadlineOf(userId, tenantId)} <= now(), false)
    and not exists (select from sallyport_switches where name = ${MIGRATION_SWITCH}))`;
}

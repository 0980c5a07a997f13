import * as z from 'zod';
import { sql, type Database } from '../../shared/ports/database.ts';
import type { LeftOut } from '../../shared/provisioning/plan.ts';

const OutcomeRow = z.object({
  outcome: z.string(),
  user: z.string(),
  tenant: z.string().nullable(),
  email: z.string().nullable(),
  reason: z.string().nullable(),
});
export type Outcome = z.output<typeof OutcomeRow>;

/** People of a run whose outcome is more than that it is done. */
export function outcomesOf(database: Pick<Database, 'query'>, runId: string): Promise<Outcome[]> {
  return database.query(
    sql`select l.state as outcome, l.user_id as user, t.slug as tenant, u.email, l.reason from sallyport_ledger l
        left join users u on u.user_id = l.user_id left join tenants t on t.tenant_id = u.tenant_id
        where l.run_id = ${runId} and (l.state not in ('created', 'linked', 'listed', 'undone', 'rolled_back') or l.reason is not null)
        order by l.state, t.slug, u.email, l.user_id`,
    OutcomeRow,
  );
}

export function toOutcome({ state, user, reason }: LeftOut): Outcome {
  return { outcome: state, user: user.id, tenant: user.slug, email: user.email, reason };
}

export function outcomeLine({ outcome, tenant, email, user, reason }: Outcome): string {
  const who = email === null ? user : `${tenant ?? ''} ${email}`;
  return `  ${outcome.padEnd(9)} ${who}${reason === null ? '' : `: ${reason}`}`;
}

/** What processes of the release before send to Postgres, word for word. */
import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';

export const JOB = 'webhooks-apply';
export const CHANGES = { points: [], carries: [], replaced: [], removed: [], known: [] };

/** Of functions/cron/runs.ts. */
export function formerCron(client: Client) {
  return {
    async claim(due: Date | null): Promise<string | undefined> {
      const { rows } = await client.query<{ run_id: string }>(
        `with claimed as (
          insert into sallyport_cron_leases as lease (job, run_id, expires_at, due_at)
          values ($1, $2, now() + make_interval(secs => $3), $4)
          on conflict (job) do update
            set run_id = excluded.run_id, expires_at = excluded.expires_at, due_at = coalesce(excluded.due_at, lease.due_at)
            where lease.expires_at <= now()
              and (excluded.due_at is null or lease.due_at is null or lease.due_at < excluded.due_at)
          returning job
        ), lost as (
          update sallyport_cron_runs set finished_at = now(), outcome = 'lost'
          where job in (select job from claimed) and outcome is null
        )
        insert into sallyport_cron_runs (run_id, job) select $2::uuid, job from claimed
        returning run_id`,
        [JOB, randomUUID(), '180', due],
      );
      return rows[0]?.run_id;
    },
    async finish(runId: string): Promise<boolean> {
      const { rowCount } = await client.query(
        `with recorded as (
          update sallyport_cron_runs set finished_at = now(), outcome = 'done', detail = '{}'
          where run_id = $2 and outcome is null
        ), forgotten as (
          delete from sallyport_cron_runs where job = $1 and started_at < now() - '14 days'::interval
        )
        update sallyport_cron_leases set expires_at = now(), last_success_at = now()
        where job = $1 and run_id = $2
        returning run_id`,
        [JOB, runId],
      );
      return rowCount === 1;
    },
  };
}

/** Of functions/feature-sync/runs.ts. */
export function formerSync(client: Client) {
  const holder = randomUUID();
  const until = `now() + interval '1 millisecond' * 10000::int`;
  const mine = `mine as (
    update sallyport_feature_lease set expires_at = ${until} where holder = '${holder}' returning 1)`;
  const changed = async (text: string, values: unknown[] = []) =>
    (await client.query(text, values)).rowCount ?? 0;
  return {
    acquire: async () =>
      (await changed(`
        insert into sallyport_feature_lease values (1, '${holder}', ${until})
        on conflict (id) do update set holder = excluded.holder, expires_at = excluded.expires_at
        where sallyport_feature_lease.expires_at <= now() or sallyport_feature_lease.holder = excluded.holder`)) >
      0,
    release: () => changed(`delete from sallyport_feature_lease where holder = '${holder}'`),
    hold: () => changed(`with ${mine} select from mine`),
    create: (runId: string) =>
      changed(
        `with ${mine}
        insert into sallyport_feature_runs (run_id, fingerprint, changes, state)
        select $1::uuid, 'of the former', $2::jsonb, 'snapshot' from mine`,
        [runId, CHANGES],
      ),
    advance: (runId: string, state: string) =>
      changed(
        `with ${mine}
        update sallyport_feature_runs set state = $2, progress = 3::int, updated_at = now()
        where run_id = $1 and exists (select from mine)`,
        [runId, state],
      ),
    remove: (runId: string) =>
      changed(
        `with ${mine} delete from sallyport_feature_runs where run_id = $1 and exists (select from mine)`,
        [runId],
      ),
    latest: async () =>
      (
        await client.query<Record<string, unknown>>(
          `select run_id, fingerprint, changes, state, progress from sallyport_feature_runs
           where state <> 'restored' order by started_at desc limit 1`,
        )
      ).rows[0],
  };
}

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { authJobs } from '../../functions/auth/jobs.ts';
import { sql } from '../../shared/ports/database.ts';
import { DATABASES, type MigratedDatabase } from '../support/databases.ts';
import { kindsOf } from '../support/scale.ts';

describe.each(kindsOf(DATABASES))('records-prune on $name', ({ missing, start }) => {
  let db: MigratedDatabase;
  beforeAll(async () => {
    if (!missing) db = await start();
  });
  afterAll(async () => {
    if (!missing) await db.close();
  });

  it.skipIf(missing)(
    'takes what is older than it may be, leaves the rest, and counts first what it then takes',
    async () => {
      const { database } = db;
      for (const [age, name] of [
        ['401 days', 'old'],
        ['399 days', 'young'],
      ] as const) {
        const [wave, run] = [randomUUID(), randomUUID()];
        await database.execute(sql`
        insert into sallyport_invitations (invitation_id, user_id, tenant_id, ended_at) values (${wave}, ${wave}, ${wave}, now() - ${age}::interval)`);
        await database.execute(sql`
        insert into sallyport_runs (run_id, kind, fingerprint, plan, state, updated_at) values (${run}, 'provisioning', 'f', '{}', 'done', now() - ${age}::interval)`);
        await database.execute(
          sql`insert into sallyport_ledger (run_id, user_id, state) values (${run}, ${wave}, 'created')`,
        );
        await database.execute(
          sql`insert into sallyport_tickets (id, at) values (${name}, now() - ${age}::interval)`,
        );
      }
      // Kept: a run that can be resumed, and a clean-up, whose row holds the archive's digest.
      for (const [kind, state] of [
        ['provisioning', 'running'],
        ['cleanup', 'done'],
      ] as const)
        await database.execute(sql`
        insert into sallyport_runs (run_id, kind, fingerprint, plan, state, updated_at) values (gen_random_uuid(), ${kind}, 'f', '{}', ${state}, now() - interval '900 days')`);
      for (const [subject, state, days] of [
        ['gone', 'removed', 91],
        ['going', 'removed', 89],
        ['there', 'active', 900],
      ] as const)
        await database.execute(sql`
        insert into sallyport_identities (issuer, subject, state, email, updated_at)
        values ('zitadel', ${subject}, ${state}, 'alice@example.org', now() - interval '1 day' * ${days}::int)`);
      const job = authJobs({ database })['records-prune'];
      const signal = new AbortController().signal;
      const taken = { invitations: 1, ledger: 1, tickets: 1, removed_accounts: 1 };
      expect(await job.run({ signal, dryRun: true })).toMatchObject(taken);
      expect(await job.run({ signal, dryRun: false })).toEqual({ ...taken, runs: 1 });
      expect(await job.run({ signal, dryRun: false })).toEqual({
        invitations: 0,
        ledger: 0,
        runs: 0,
        tickets: 0,
        removed_accounts: 0,
      });
      const [left] = await database.query(
        sql`select (select count(*) from sallyport_invitations)::int as invitations, (select count(*) from sallyport_runs)::int as runs,
            (select count(*) from sallyport_ledger)::int as ledger, (select string_agg(id, ' ') from sallyport_tickets) as tickets,
            (select string_agg(subject, ' ' order by subject) from sallyport_identities where email is not null) as addresses`,
        z.unknown(),
      );
      expect(left).toEqual({
        invitations: 1,
        runs: 3,
        ledger: 1,
        tickets: 'young',
        addresses: 'going there',
      });
    },
  );
});

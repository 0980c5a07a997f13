import { z } from 'zod';
import { openPgDatabase } from '../../shared/adapters/postgres/pg.ts';
import { sql } from '../../shared/ports/database.ts';
import { LeaseLost, openLease, withLease } from '../../shared/runs/lease.ts';

/** Holds a lease, and writes by it over and over until it is lost. */
const LOST = 75;
const [url, name, runId] = z.tuple([z.string(), z.string(), z.uuid()]).parse(process.argv.slice(2));

async function main(): Promise<void> {
  const database = openPgDatabase({ url, max: 2 });
  const lease = openLease(database, { name, ms: 1_000 });
  const patience = { waitMs: 0, sleep: () => Promise.resolve() };
  await withLease(lease, runId, patience, async () => {
    for (;;) await lease.write(sql`insert into test_writes (run_id) select ${runId}::uuid from held`);
  }).catch((error: unknown) => {
    process.exitCode = error instanceof LeaseLost ? LOST : 1;
  });
  await database.close();
}

void main();

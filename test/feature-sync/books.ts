import type { TestDatabase } from './stores.ts';

/** What the database keeps of runs, without what differs from run to run: ids and times. */
export async function booksOf(tables: TestDatabase): Promise<{ runs: unknown[]; archive: unknown[] }> {
  const runs = await tables.query('select fingerprint, plan, state, progress, report from sallyport_runs');
  const archive = await tables.query(
    'select object, relation, subject, condition from sallyport_feature_archive order by 1, 2, 3',
  );
  return { runs: runs.rows, archive: archive.rows };
}

export async function emptyBooks(tables: TestDatabase): Promise<void> {
  await tables.query('delete from sallyport_runs');
  await tables.query('delete from sallyport_leases');
  await tables.query('delete from sallyport_feature_lease');
}

import * as z from 'zod';
import { empty, sql, type Database } from '../ports/database.ts';
import type { Directory } from '../ports/directory.ts';
import { WAS_THERE } from './ledger-changes.ts';

const HeldRow = z.object({ id: z.string(), until: z.date() });

/** When ids come free whose accounts a run or its rollback has deleted, of all or of some users. */
export async function heldUntil(
  database: Pick<Database, 'query'>,
  { heldSeconds, issuer }: Pick<Directory['traits'], 'heldSeconds' | 'issuer'>,
  userIds: readonly string[] | null,
): Promise<ReadonlyMap<string, Date>> {
  if (heldSeconds === 0) return new Map();
  const end = sql`max(l.at) + interval '1 second' * ${heldSeconds}::int`;
  const rows = await database.query(
    sql`select l.user_id as id, ${end} as until
        from sallyport_ledger l join sallyport_runs r on r.run_id = l.run_id
        where l.state in ('undone', 'removed') and r.plan ->> 'issuer' = ${issuer} and not ${WAS_THERE}
          ${userIds === null ? empty : sql`and l.user_id = any(${[...userIds]}::uuid[])`}
        group by l.user_id having ${end} > now()`,
    HeldRow,
  );
  return new Map(rows.map(({ id, until }) => [id, until]));
}

/** Why an account cannot be made under this id. */
export function heldReason(until: Date): string {
  return `a deleted account holds this id: it is free at ${until.toISOString()}`;
}

/** The same where neither the provider nor the ledger has the time of the deletion. */
export function heldAtLongest(
  nowMs: number,
  { heldSeconds }: Pick<Directory['traits'], 'heldSeconds'>,
): string {
  const end = new Date(nowMs + heldSeconds * 1_000).toISOString();
  return `a deleted account holds this id: it is free at ${end} at the latest`;
}

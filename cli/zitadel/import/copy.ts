import { Failure } from '../../failure.ts';
import { openDump } from '../dump/source.ts';
import { restoreInto } from './restore.ts';
import type { Run } from './run.ts';
import { findDatabase } from './server.ts';
import { sizeOf } from './size.ts';
import { countTables, differences, withDatabaseOf } from './target.ts';

/** Restores the dump of a run into its copy, anew whatever a cut-off attempt has left. Throws Failure at the first error. */
export async function restoreCopy(run: Run): Promise<Readonly<Record<string, unknown>>> {
  const { facts, server } = run;
  const source = await openDump(facts.dump.file);
  if (source.fingerprint !== facts.dump.fingerprint)
    throw new Failure(`${source.file} has changed since it was read: begin a new import`);
  const { restrictKey } = facts.dump;
  const { owner, ownerless } = facts;
  const tables = new Map(Object.entries(facts.dump.tables));
  await restoreInto(run, {
    source,
    restrictKey,
    into: facts.copy,
    like: facts.target,
    owner,
    ownerless,
    tables,
  });
  const copy = await findDatabase(server, facts.copy);
  if (copy === undefined) throw new Failure(`the database ${facts.copy} is gone`);
  return { oid: copy.oid, bytes: copy.bytes, says: `${facts.copy}, ${sizeOf(copy.bytes)}` };
}

/** Compares the copy with the dump: every table, every row. Throws Failure with what differs. */
export async function verifyCopy({ facts, server }: Run): Promise<Readonly<Record<string, unknown>>> {
  const counted = await withDatabaseOf(server, facts.copy, countTables);
  const wanted = new Map(Object.entries(facts.dump.tables));
  const differing = differences(wanted, counted, { wanted: 'in the dump', found: 'restored' });
  if (differing.length > 0)
    throw new Failure(`the restored copy is not what the dump holds: ${differing.slice(0, 5).join('; ')}`);
  const rows = [...counted.values()].reduce((sum, count) => sum + count, 0);
  return { tables: counted.size, rows, says: `${counted.size} tables and ${rows} rows, as in the dump` };
}

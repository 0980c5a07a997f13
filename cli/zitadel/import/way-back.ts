import { existsSync } from 'node:fs';
import * as z from 'zod';
import { Failure } from '../../failure.ts';
import type { Journal } from '../../journal.ts';
import { factsOf, type RunFacts } from './run.ts';
import { findDatabase, nameOfDatabase, type Server } from './server.ts';

/** How the former database comes back. */
export type WayBack =
  /** It is there: nothing was swapped, or it is back already. */
  | { readonly by: 'untouched'; readonly says: string }
  /** It was kept beside. */
  | { readonly by: 'rename'; readonly says: string }
  /** Restored from the backup of the run. */
  | {
      readonly by: 'backup';
      readonly says: string;
      readonly file: string;
      readonly tables: ReadonlyMap<string, number>;
    };

const Backup = z.object({ file: z.string(), tables: z.record(z.string(), z.number()) });

/** Throws Failure where nothing leads back. */
export async function wayBack(
  server: Server,
  journal: Pick<Journal, 'find' | 'run' | 'folder'>,
): Promise<WayBack> {
  const facts = factsOf(journal);
  const { target, kept } = facts;
  if (facts.oid === null) return withoutFormer(server, facts, journal);
  const name = await nameOfDatabase(server, facts.oid);
  if (name === target)
    return {
      by: 'untouched',
      says: `${target} is the former database; what is left of the import is removed`,
    };
  if (name === kept)
    return { by: 'rename', says: `${kept} becomes ${target} again, and the imported database ${facts.copy}` };
  if (name !== undefined)
    throw new Failure(`the former database is called ${name} now: rename it to ${kept}, then recover again`);
  const backup = Backup.safeParse(journal.find('backup', 'done'));
  if (!backup.success || !existsSync(backup.data.file))
    throw new Failure(`${kept} is gone, and so is the backup of import ${journal.run} in ${journal.folder}`);
  return {
    by: 'backup',
    says: `${target} is restored from ${backup.data.file}, and what is there now kept as ${facts.copy}`,
    file: backup.data.file,
    tables: new Map(Object.entries(backup.data.tables)),
  };
}

async function withoutFormer(
  server: Server,
  { target }: RunFacts,
  { run }: Pick<Journal, 'run'>,
): Promise<WayBack> {
  if ((await findDatabase(server, target)) === undefined)
    return {
      by: 'untouched',
      says: `there was no database ${target}, and there is none; what is left of the import is removed`,
    };
  throw new Failure(
    `there was no database ${target} before import ${run}: nothing to go back to. \`drop database ${target}\` removes the imported one`,
  );
}

import { pause } from '../../../shared/ports/runtime.ts';
import { Failure } from '../../failure.ts';
import { note } from '../../terminal.ts';
import type { Run } from './run.ts';
import {
  describeHolder,
  findDatabase,
  nameOfDatabase,
  renameDatabases,
  sessionsOf,
  type Rename,
  type SessionHolder,
} from './server.ts';

const LOOK_MS = 250;

/**
 * Puts the copy in the place of the target. Both renames are one transaction of Postgres, so a kill at any moment leaves the
 * former database under the name, or the new one. Throws Failure when sessions do not end in time, with their holders.
 */
export async function swapIn(run: Run, copyOid: number): Promise<Readonly<Record<string, unknown>>> {
  const { facts, server } = run;
  const says = `${facts.target} is the imported database${facts.oid === null ? '' : `, the former one is kept as ${facts.kept}`}`;
  if ((await nameOfDatabase(server, copyOid)) === facts.target) return { says };
  if ((await nameOfDatabase(server, copyOid)) !== facts.copy)
    throw new Failure(`the restored copy ${facts.copy} is gone: begin a new import`);
  const former = await findDatabase(server, facts.target);
  if ((former?.oid ?? null) !== facts.oid)
    throw new Failure(`${facts.target} is not the database that was backed up: begin a new import`);
  await renameWhenFree(run, [
    ...(former === undefined ? [] : [{ from: facts.target, to: facts.kept }]),
    { from: facts.copy, to: facts.target },
  ]);
  return { says };
}

/** Waits until nobody is connected to any of the databases, then renames all of them at once. */
export async function renameWhenFree(
  { server, signal, waitMs }: Pick<Run, 'server' | 'signal' | 'waitMs'>,
  renames: readonly Rename[],
): Promise<void> {
  const names = renames.map(({ from }) => from);
  const until = Date.now() + waitMs;
  let before: ReadonlySet<number> | undefined;
  for (let told = ''; ;) {
    const holders = await sessionsOf(server, names);
    // Short sessions of a monitor, say, come and go: Postgres lets them end, and keeps new ones waiting meanwhile.
    const isFleeting = before !== undefined && !holders.some(({ pid }) => before?.has(pid));
    if ((holders.length === 0 || isFleeting) && (await renameDatabases(server, renames))) return;
    const shown = describeHolders(holders);
    if (shown !== '' && shown !== told)
      note(`  waiting: connected to ${names.join(' or ')}: ${shown}. Stop Zitadel`);
    told = shown;
    before = new Set(holders.map(({ pid }) => pid));
    if (Date.now() > until)
      throw new Failure(
        `sessions are still connected to ${names.join(' or ')}: ${shown === '' ? 'they come and go' : shown}. Stop Zitadel and whatever else uses the database`,
      );
    await pause(LOOK_MS, signal);
    signal.throwIfAborted();
  }
}

function describeHolders(holders: readonly SessionHolder[]): string {
  const shown = holders.slice(0, 5).map(describeHolder).join(', ');
  return holders.length > 5 ? `${shown} and ${holders.length - 5} more` : shown;
}

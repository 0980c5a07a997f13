import { pause } from '../../shared/ports/runtime.ts';
import { Failure } from '../failure.ts';
import { interruption, note } from '../terminal.ts';
import {
  describeHolder,
  findDatabase,
  openServer,
  sessionsOf,
  type Rename,
  type Server,
} from '../zitadel/import/server.ts';
import { renameWhenFree } from '../zitadel/import/swap.ts';
import { shownOf, type Target } from './database.ts';
import { onServer } from './rebuild.ts';
import { copyOf, keptOf, type DatabaseRestore } from './restore-plan.ts';
import { once, type Restoring } from './restore-steps.ts';

/**
 * Renames the restored databases into their places: those of one server in one transaction, so that no moment has a part of them.
 * With several servers, the first is not changed before all are free of connections: a session on the second cannot leave one new and
 * one old. Throws Failure when sessions remain after the wait.
 */
export async function swapAll(restoring: Restoring): Promise<void> {
  const { plan, journal } = restoring;
  const groups = [...byServer(plan.databases)];
  const left = groups.filter(([server]) => journal.find(`swap ${server}`, 'done') === undefined);
  if (left.length > 1) await allFree(plan.databases, restoring.waitMs);
  for (const [server, restores] of left)
    await once(restoring, `swap ${server}`, async () => {
      const [first] = restores;
      if (first !== undefined) await onServer(first.target, (on) => swapOn(on, restores, restoring));
      return { swapped: restores.map(({ part }) => part.name) };
    });
}

async function swapOn(
  server: Server,
  restores: readonly DatabaseRestore[],
  { journal, waitMs }: Restoring,
): Promise<void> {
  const renames: Rename[] = [];
  for (const { database, replaces } of restores) {
    const names = { copy: copyOf(database, journal.run), kept: keptOf(database, journal.run) };
    if ((await findDatabase(server, names.copy)) === undefined) {
      // This transaction was committed, and its record was not.
      if ((await findDatabase(server, replaces === null ? database : names.kept)) !== undefined) continue;
      throw new Failure(`the restored copy ${names.copy} is gone`);
    }
    const former = await findDatabase(server, database);
    if ((former?.oid ?? null) !== (replaces?.oid ?? null))
      throw new Failure(
        `${database} is not the database that was backed up before this restore: take it back with \`sallyport backup finish ${journal.run}\`, and begin anew`,
      );
    if (former !== undefined) renames.push({ from: database, to: names.kept });
    renames.push({ from: names.copy, to: database });
  }
  if (renames.length > 0) await renameWhenFree({ server, signal: interruption(), waitMs }, renames);
}

/** By host, port and role. */
export function byServer<T extends { readonly target: Pick<Target, 'url'> }>(
  databases: readonly T[],
): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const each of databases) {
    const { host, username } = new URL(each.target.url);
    const server = `${username}@${host}`;
    groups.set(server, [...(groups.get(server) ?? []), each]);
  }
  return groups;
}

const LOOK_MS = 250;

/** Throws Failure with who is still connected when the time is over. */
async function allFree(databases: readonly DatabaseRestore[], waitMs: number): Promise<void> {
  const signal = interruption();
  const until = Date.now() + waitMs;
  const servers = await Promise.all(
    databases.map(({ target: { url, variable } }) => openServer(url, variable)),
  );
  try {
    for (let before = new Set<string>(); ;) {
      const found = await Promise.all(servers.map(holdersOf));
      const now = new Set(found.flat());
      // What comes and goes, as a monitor does, is let out by each swap itself.
      if (![...now].some((holder) => before.has(holder)) && (now.size === 0 || before.size > 0)) return;
      if (Date.now() > until)
        throw new Failure(
          `sessions are still connected, so that no database was changed: ${[...now].slice(0, 5).join(', ')}. Stop what uses them`,
        );
      if (before.size === 0) note(`  waiting: ${[...now].slice(0, 5).join(', ')}`);
      before = now;
      await pause(LOOK_MS, signal);
      signal.throwIfAborted();
    }
  } finally {
    await Promise.all(servers.map((server) => server.close().catch(() => undefined)));
  }
}

async function holdersOf(server: Server): Promise<readonly string[]> {
  const holders = await sessionsOf(server, [server.target]);
  return holders.map((holder) => `${server.shown}: ${describeHolder(holder)}`);
}

/** A database that a restore has put in its place, and that the former one takes again. */
export interface Swapped {
  readonly target: Target;
  readonly database: string;
  /** Whether there was one before. */
  readonly replaced: boolean;
}

/** The way back of `swapAll`: the former databases under their names, the restored ones beside them again. Throws Failure. */
export async function swapBack(swapped: readonly Swapped[], run: string, waitMs: number): Promise<void> {
  for (const group of byServer(swapped).values()) {
    const [first] = group;
    if (first === undefined) continue;
    note(`putting back: ${group.map(({ target }) => shownOf(target)).join(', ')}`);
    const renames = group.flatMap(({ database, replaced }) => [
      { from: database, to: copyOf(database, run) },
      ...(replaced ? [{ from: keptOf(database, run), to: database }] : []),
    ]);
    await onServer(first.target, (server) =>
      renameWhenFree({ server, signal: interruption(), waitMs }, renames),
    );
  }
}

import type { OpenFgaSettings } from '../fga/connect.ts';
import { openFgaSettings } from '../fga/connect.ts';
import { Failure, UsageError } from '../failure.ts';
import { environment } from '../terminal.ts';
import { findDatabase } from '../zitadel/import/server.ts';
import { shownOf, type Target } from './database.ts';
import type { Backup, DatabasePart, Part, PartName, RelationsPart, TextPart } from './layout.ts';
import { lackingRights, onServer } from './rebuild.ts';
import { targetOf, textOf, type Text } from './sources.ts';

export interface DatabaseRestore {
  readonly part: DatabasePart;
  readonly target: Target;
  /** The name of the database, which is taken from the target's URL. */
  readonly database: string;
  /** Of the database that is replaced, else of the one that was dumped. */
  readonly owner: string;
  /** Null: there is none to replace. */
  readonly replaces: { readonly oid: number } | null;
}

export interface RestorePlan {
  readonly databases: readonly DatabaseRestore[];
  /** Into a store of its own, which then has to be named by OPENFGA_STORE_ID. */
  readonly relations: { readonly part: RelationsPart; readonly settings: OpenFgaSettings } | null;
  readonly texts: readonly { readonly part: TextPart; readonly text: Text }[];
  /** Parts of the backup that stay where they are. */
  readonly leftOut: readonly string[];
}

/** What goes where. Throws UsageError for a part that the backup lacks, Failure for one that no variable leads to. */
export async function planRestore(
  { manifest }: Backup,
  only: readonly PartName[] | undefined,
): Promise<RestorePlan> {
  const has = (name: PartName): boolean => manifest.parts.some((part) => part.name === name);
  const absent = (only ?? []).filter((name) => !has(name));
  if (absent.length > 0) throw new UsageError(`the backup has no ${absent.join(', ')}`);
  const isChosen = (part: Part): boolean =>
    only === undefined ? !(part.name === 'tuples' && has('openfga')) : only.includes(part.name);
  const chosen = manifest.parts.filter(isChosen);
  const homeless = chosen.filter(
    ({ name, kind }) => kind === 'database' && targetOf(nameOf(name)).url === '',
  );
  if (homeless.length > 0)
    throw new Failure(
      `${homeless.map(({ name }) => `${targetOf(nameOf(name)).variable} is not set`).join(', ')}: set it, or choose other parts with --only`,
    );
  if (chosen.some(({ kind }) => kind === 'relations') && (environment['OPENFGA_URL'] ?? '') === '')
    throw new Failure('OPENFGA_URL is not set: set it, or choose other parts with --only');
  const databases: DatabaseRestore[] = [];
  for (const part of chosen) if (part.kind === 'database') databases.push(await databaseRestore(part));
  const relations = chosen.find((part) => part.kind === 'relations');
  return {
    databases,
    relations: relations === undefined ? null : { part: relations, settings: openFgaSettings() },
    texts: chosen.flatMap((part) => (part.kind === 'text' ? [{ part, text: textOf(part.name) }] : [])),
    leftOut: manifest.parts.filter((part) => !isChosen(part)).map(({ name }) => name),
  };
}

/** Of a part that is a database. */
function nameOf(name: PartName): DatabasePart['name'] {
  if (name === 'zitadel' || name === 'openfga' || name === 'sallyport') return name;
  throw new TypeError(`${name} is no database`);
}

function databaseRestore(part: DatabasePart): Promise<DatabaseRestore> {
  const target = targetOf(part.name);
  return onServer(target, async (server) => {
    const found = await findDatabase(server, server.target);
    return {
      part,
      target,
      database: server.target,
      owner: found?.owner ?? part.owner,
      replaces: found === undefined ? null : { oid: found.oid },
    };
  });
}

const MOST_NAME_BYTES = 63;

/** Throws Failure with everything that would stop the restore half-way. */
export async function preflight({ databases }: RestorePlan): Promise<void> {
  const faults: string[] = [];
  for (const { target, part, owner, database } of databases) {
    faults.push(...(await lackingRights(target, [...new Set([...part.roles, part.owner, owner])])));
    // Postgres would cut it without a word.
    if (Buffer.byteLength(copyOf(database, '00000000000000')) > MOST_NAME_BYTES)
      faults.push(`${shownOf(target)}: the name of the database is too long for another one beside it`);
  }
  if (faults.length > 0) throw new Failure(faults.join('\n'));
}

/** Where a database is restored, beside the one that it replaces. */
export const copyOf = (database: string, run: string): string => `${database}_restore_${run}`;
/** What the replaced one is called afterwards. */
export const keptOf = (database: string, run: string): string => `${database}_before_${run}`;

import { note, print, printJson } from '../terminal.ts';
import { shownOf, totalOf } from './database.ts';
import type { Backup, Part } from './layout.ts';
import { megabytes } from './list.ts';
import type { Sources } from './sources.ts';

export interface CreateCommand {
  /** A file with a public key. */
  readonly recipient?: string;
  readonly resume?: boolean;
  readonly verify?: boolean;
  /** Number of backups to keep. */
  readonly keep?: number;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const NEXT = 'the same without --dry-run';

/** What a backup would hold. */
export function reportPlan({ databases, relations, texts, leftOut }: Sources, options: CreateCommand): void {
  const parts = [
    ...databases.map((target) => ({ name: target.name, from: shownOf(target) })),
    ...(relations === null ? [] : [{ name: 'tuples', from: `${relations.url}, store ${relations.storeId}` }]),
    ...texts.map(({ name, variable, source }) => ({
      name,
      from: source.kind === 'inline' ? variable : source.path,
    })),
  ];
  if (options.json === true) {
    const encrypted = options.recipient !== undefined;
    printJson({ dry_run: true, parts, left_out: leftOut, encrypted, next: NEXT });
    return;
  }
  for (const { name, from } of parts) print(`${name}: ${from}`);
  for (const { name, why } of leftOut) print(`${name}: left out, ${why}`);
  note(`nothing was written. next: ${NEXT}`);
}

/** What a backup holds, and what comes next. */
export function reportCreated(
  { folder, manifest }: Backup,
  { json, verify = false, removed }: CreateCommand & { readonly removed: readonly string[] },
): void {
  if (json === true) {
    printJson({
      backup: manifest.id,
      folder,
      at: manifest.at,
      parts: manifest.parts.map(summaryOf),
      left_out: manifest.left_out,
      encrypted: manifest.encryption !== null,
      proven: verify,
      removed,
      next: verify ? 'copy it to another place' : `sallyport backup verify ${manifest.id}`,
    });
    return;
  }
  for (const part of manifest.parts) print(lineOf(part));
  for (const { name, why } of manifest.left_out) note(`${name} is left out: ${why}`);
  for (const id of removed) note(`removed backup ${id}`);
  print(folder);
  if (manifest.parts.some(({ name }) => name === 'zitadel'))
    note('of no use without ZITADEL_MASTERKEY, which is not in it: keep that elsewhere');
  note(
    verify
      ? 'it was restored and counted. Copy it to another place'
      : `next: sallyport backup verify ${manifest.id}`,
  );
}

function summaryOf(part: Part): Readonly<Record<string, unknown>> {
  const { name, kind, file, bytes } = part;
  const counts =
    part.kind === 'database'
      ? { tables: Object.keys(part.rows).length, rows: totalOf(part.rows) }
      : part.kind === 'relations'
        ? { tuples: part.tuples }
        : {};
  return { name, kind, file, bytes, ...counts };
}

function lineOf(part: Part): string {
  const size = megabytes(part.bytes);
  if (part.kind === 'database')
    return `${part.name}: ${totalOf(part.rows)} rows in ${Object.keys(part.rows).length} tables of ${part.database}, ${size}`;
  return part.kind === 'relations'
    ? `${part.name}: ${part.tuples} and the model, ${size}`
    : `${part.name}: ${size}`;
}

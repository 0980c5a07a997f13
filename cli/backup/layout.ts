import { createHash, createHmac } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import * as z from 'zod';
import { BACKUP_KIND, MANIFEST_FILE, PROOF_FILE, Proof } from '../../shared/backup/records.ts';
import { systemCode, systemFault } from '../../shared/system-errors.ts';
import { Failure } from '../failure.ts';
import { writePrivately } from '../private-file.ts';
import type { ContentKey } from '../sealed/envelope.ts';

export const FORMAT = 1;
export const SUMS_FILE = 'SHA256SUMS';
export const DATABASE_NAMES = ['zitadel', 'openfga', 'sallyport'] as const;
export type DatabaseName = (typeof DATABASE_NAMES)[number];
export const TEXT_NAMES = ['access_rules', 'access_rules_prev', 'default_grants'] as const;
export type TextName = (typeof TEXT_NAMES)[number];
export const PART_NAMES = [...DATABASE_NAMES, 'tuples', ...TEXT_NAMES] as const;
export type PartName = (typeof PART_NAMES)[number];

/** A name within the folder: nothing leads out of it. */
const file = z.string().regex(/^[\w-]+\.(?:dump|jsonl|json)(?:\.jwe)?$/);
const stored = { file, bytes: z.number().int().min(0), sha256: z.string().regex(/^[\da-f]{64}$/) };

export const DatabasePart = z.strictObject({
  kind: z.literal('database'),
  name: z.enum(DATABASE_NAMES),
  ...stored,
  database: z.string().min(1),
  /** user@host:port/database */
  from: z.string(),
  /** As in 17.6. */
  server: z.string(),
  /** Major version of pg_dump: pg_restore must not be older. */
  client: z.number().int(),
  owner: z.string().min(1),
  /** Owners of what is in it, and those it was granted to. */
  roles: z.array(z.string()),
  /** `alter database … set`, as in `search_path=app, public`. */
  settings: z.array(z.string()),
  /** Rows of each table, as in `{"eventstore.events2": 12}`, in the snapshot that was dumped. */
  rows: z.record(z.string(), z.number().int().min(0)),
});
export type DatabasePart = z.output<typeof DatabasePart>;

/** The first line of its file is the model, each further one a tuple. */
export const RelationsPart = z.strictObject({
  kind: z.literal('relations'),
  name: z.literal('tuples'),
  ...stored,
  store: z.string(),
  model: z.string(),
  tuples: z.number().int().min(0),
});

export const TextPart = z.strictObject({
  kind: z.literal('text'),
  name: z.enum(TEXT_NAMES),
  ...stored,
  variable: z.string(),
});

export type RelationsPart = z.output<typeof RelationsPart>;
export type TextPart = z.output<typeof TextPart>;

export const Part = z.discriminatedUnion('kind', [DatabasePart, RelationsPart, TextPart]);
export type Part = z.output<typeof Part>;

const Encryption = z.strictObject({
  /** RFC 7638, of the recipient's key. */
  recipient: z.string(),
  /** The key of all files, encrypted to the recipient: JWE in compact form. */
  key: z.string(),
  /** HMAC-SHA-256 of this manifest without `mac`, by that key. */
  mac: z.string(),
});

const Manifest = z.strictObject({
  format: z.literal(FORMAT),
  id: z.string().regex(/^\d{14}$/),
  at: z.iso.datetime(),
  sallyport: z.string(),
  /** Why it was made, where not for its own sake. */
  purpose: z.string().optional(),
  parts: z.array(Part).min(1),
  left_out: z.array(z.strictObject({ name: z.enum(PART_NAMES), why: z.string() })),
  encryption: Encryption.nullable(),
});
export type Manifest = z.output<typeof Manifest>;

export interface Backup {
  /** Absolute. */
  readonly folder: string;
  readonly manifest: Manifest;
}

/**
 * The folder that FILE of a command names: a path, an id, a folder's name in BACKUP_DIR, or `latest`: the newest whole one but those that
 * hold what a restore has replaced. Throws Failure.
 */
export function backupFolder(named: string, dir: string): string {
  if (named === 'latest') {
    const newest = backupIds(dir).find((id) => isOwn(folderOf(dir, id)));
    if (newest === undefined)
      throw new Failure(`there is no whole backup in ${resolve(dir)}: \`sallyport backup create\` makes one`);
    return folderOf(dir, newest);
  }
  const candidates = [resolve(named), join(resolve(dir), named), folderOf(dir, named)];
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined)
    throw new Failure(`there is no backup ${named}: name its folder, or its id in ${resolve(dir)}`);
  return basename(found) === MANIFEST_FILE ? resolve(found, '..') : found;
}

/** Whether a backup is whole, and was made for its own sake. One whose manifest is damaged counts: it is refused, not passed over. */
function isOwn(folder: string): boolean {
  const file = join(folder, MANIFEST_FILE);
  if (!existsSync(file)) return false;
  try {
    return (
      z.looseObject({ purpose: z.string().optional() }).parse(JSON.parse(readFileSync(file, 'utf8')))
        .purpose === undefined
    );
  } catch {
    return true;
  }
}

export const folderOf = (dir: string, id: string): string => join(resolve(dir), `${BACKUP_KIND}-${id}`);

/** Ids of all backups in a folder, whole or not, the newest first. */
export function backupIds(dir: string): readonly string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .map((name) => /^backup-(\d{14})$/.exec(name)?.[1])
    .filter((id) => id !== undefined)
    .sort()
    .reverse();
}

/** Throws Failure for a folder that is no whole backup, and for one whose manifest was changed. */
export async function readBackup(folder: string): Promise<Backup> {
  const text = await readIn(folder, MANIFEST_FILE);
  if (text === undefined) throw new Failure(incomplete(folder));
  const sums = (await readIn(folder, SUMS_FILE)) ?? '';
  if (!sums.includes(sumLine(sha256(text), MANIFEST_FILE)))
    throw new Failure(
      sums === ''
        ? `${folder} lacks ${SUMS_FILE}: it is incomplete`
        : `${folder}/${MANIFEST_FILE} was changed since the backup was made (its SHA-256 differs from ${SUMS_FILE})`,
    );
  return { folder, manifest: manifestOf(text, `${folder}/${MANIFEST_FILE}`) };
}

function incomplete(folder: string): string {
  const begun = existsSync(join(folder, 'journal.jsonl'));
  return begun
    ? `${folder} is incomplete: the backup ended before its end (output.log beside says where). Go on: \`sallyport backup create --resume\`, or make another`
    : `${folder} is no backup: it has no ${MANIFEST_FILE}`;
}

function manifestOf(text: string, name: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Failure(`${name} is no JSON`, { cause: error });
  }
  const format = z.looseObject({ format: z.number() }).safeParse(value).data?.format;
  if (format !== undefined && format > FORMAT)
    throw new Failure(
      `${name} has format ${format}, and this version reads up to ${FORMAT}: take a newer sallyport`,
    );
  const parsed = Manifest.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new Failure(`${name} is no manifest of a backup: ${z.prettifyError(parsed.error)}`);
}

async function readIn(folder: string, name: string): Promise<string | undefined> {
  try {
    return await readFile(join(folder, name), 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined;
    throw new Failure(`cannot read ${join(folder, name)}: ${systemFault(error) ?? 'unknown error'}`, {
      cause: error,
    });
  }
}

/** The manifest comes last, when all files are on the disk: with it the backup is whole. */
export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  const lines = [
    ...manifest.parts.map((part) => sumLine(part.sha256, part.file)),
    sumLine(sha256(text), MANIFEST_FILE),
  ];
  await writePrivately(join(folder, SUMS_FILE), (write) => write(lines.join('')));
  await writePrivately(join(folder, MANIFEST_FILE), (write) => write(text));
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** As `sha256sum --check` reads it. */
const sumLine = (digest: string, name: string): string => `${digest}  ${name}\n`;

/** Over all of a manifest but itself. */
export function macOf(manifest: Manifest, { bytes }: ContentKey): string {
  const { encryption, ...rest } = manifest;
  const plain = { ...rest, encryption: encryption && { ...encryption, mac: '' } };
  return createHmac('sha256', bytes).update(JSON.stringify(plain, inOrder)).digest('base64url');
}

/** So that the same manifest is the same text, whatever the order of its members. */
function inOrder(_name: string, value: unknown): unknown {
  const members = z.record(z.string(), z.unknown()).safeParse(value);
  if (Array.isArray(value) || !members.success) return value;
  return Object.fromEntries(Object.entries(members.data).sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** The last proof, or undefined. A file that cannot be read is none. */
export function readProof(dir: string): Proof | undefined {
  try {
    return Proof.parse(JSON.parse(readFileSync(join(dir, PROOF_FILE), 'utf8')));
  } catch {
    return undefined;
  }
}

export async function writeProof(dir: string, { manifest }: Backup, now: Date): Promise<void> {
  const proof: Proof = {
    backup: manifest.id,
    made_at: manifest.at,
    at: now.toISOString(),
    parts: manifest.parts.map(({ name }) => name),
  };
  await writePrivately(join(dir, PROOF_FILE), (write) => write(`${JSON.stringify(proof, null, 2)}\n`));
}

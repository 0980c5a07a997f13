import { OPERATIONS } from '../../shared/configuration/operations.ts';
import { messageOf } from '../../shared/errors.ts';
import { note, print, printJson } from '../terminal.ts';
import { configured } from '../variables.ts';
import { backupIds, folderOf, readBackup, readProof, type Manifest } from './layout.ts';

interface Entry {
  readonly id: string;
  readonly folder: string;
  /** Null: it is not whole; `why` says so. */
  readonly manifest: Manifest | null;
  readonly why: string | null;
}

/** Lists the backups of BACKUP_DIR, the newest first. Files are not read: that is what `verify` does. */
export async function runList({ json }: { readonly json?: boolean }): Promise<void> {
  const { backupDir } = configured(OPERATIONS);
  const entries: Entry[] = [];
  for (const id of backupIds(backupDir)) entries.push(await entryOf(backupDir, id));
  const proof = readProof(backupDir);
  if (json === true) {
    printJson(
      entries.map((entry) => ({ ...jsonOf(entry), proven_at: proof?.backup === entry.id ? proof.at : null })),
    );
    return;
  }
  for (const entry of entries) print(lineOf(entry, proof?.backup === entry.id ? proof.at : null));
  if (entries.length === 0) note(`no backup in ${backupDir}: \`sallyport backup create\` makes one`);
  else if (proof === undefined) note('none was ever restored: sallyport backup verify latest');
  else note('bring one back with: sallyport backup restore <id>; what it would do: --dry-run');
}

async function entryOf(dir: string, id: string): Promise<Entry> {
  const folder = folderOf(dir, id);
  try {
    return { id, folder, manifest: (await readBackup(folder)).manifest, why: null };
  } catch (error) {
    return { id, folder, manifest: null, why: messageOf(error) };
  }
}

const sizeOf = ({ parts }: Manifest): number => parts.reduce((sum, { bytes }) => sum + bytes, 0);

function jsonOf({ id, folder, manifest, why }: Entry): Readonly<Record<string, unknown>> {
  if (manifest === null) return { id, folder, complete: false, why };
  return {
    id,
    folder,
    complete: true,
    at: manifest.at,
    bytes: sizeOf(manifest),
    parts: manifest.parts.map(({ name }) => name),
    encrypted: manifest.encryption !== null,
    purpose: manifest.purpose ?? null,
  };
}

function lineOf({ id, manifest, why }: Entry, provenAt: string | null): string {
  if (manifest === null) return `${id}  ${why ?? ''}`;
  const parts = manifest.parts.map(({ name }) => name).join(', ');
  return [
    `${id}  ${manifest.at}  ${megabytes(sizeOf(manifest))}  ${parts}`,
    manifest.encryption === null ? '' : 'encrypted',
    manifest.purpose ?? '',
    provenAt === null ? '' : `restored and counted ${provenAt}`,
  ]
    .filter((text) => text !== '')
    .join('; ');
}

/** As in `4.5 MB`. */
export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

import { chmodSync, existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { BACKUP_KIND, MANIFEST_FILE } from '../../shared/backup/records.ts';
import { OPERATIONS } from '../../shared/configuration/operations.ts';
import { systemCode } from '../../shared/system-errors.ts';
import { processes } from '../deps.ts';
import { Failure, UsageError } from '../failure.ts';
import { makeFolder } from '../folder-lock.ts';
import { PROJECT } from '../input.ts';
import { beginRun, continueRun, listRuns, type Journal, type JournalPlace } from '../journal.ts';
import { newContentKey, wrapped, type ContentKey } from '../sealed/envelope.ts';
import { readRecipient, type SealingKey } from '../sealed/keys.ts';
import { configured } from '../variables.ts';
import type { Seal } from './file.ts';
import { folderOf, FORMAT, macOf, writeManifest, type Backup, type Manifest, type Part } from './layout.ts';
import { partsOf } from './parts.ts';
import { reportCreated, reportPlan, type CreateCommand } from './create-report.ts';
import { prune } from './prune.ts';
import { readSources, type Sources } from './sources.ts';
import { prove } from './verify.ts';

/** Backs up all that variables lead to. Throws Failure. */
export async function runCreate(options: CreateCommand): Promise<void> {
  const { backupDir } = configured(OPERATIONS);
  const sources = readSources();
  const recipient = options.recipient === undefined ? null : await readRecipient(options.recipient);
  if (sources.databases.length === 0 && sources.relations === null)
    throw new Failure(
      `there is nothing to back up:\n${sources.leftOut.map(({ name, why }) => `  ${name}: ${why}`).join('\n')}`,
    );
  if (options.dryRun === true) {
    reportPlan(sources, options);
    return;
  }
  const resume = options.resume === true;
  if (resume && recipient !== null)
    throw new UsageError('--resume goes without --recipient: the key of a backup that was cut off is gone');
  const { backup, seal } = await createBackup(backupDir, { sources, recipient, resume });
  if (options.verify === true) await prove(backup, seal, backupDir);
  const removed = options.keep === undefined ? [] : await prune(backupDir, options.keep);
  reportCreated(backup, { ...options, removed });
}

export interface Wanted {
  readonly sources: Sources;
  readonly recipient: SealingKey | null;
  readonly purpose?: string;
  /** Goes on with the newest that was cut off. */
  readonly resume?: boolean;
}

/** Makes one whole backup, or none: what fails leaves a folder without a manifest and without data. Throws Failure. */
export async function createBackup(
  backupDir: string,
  wanted: Wanted,
): Promise<{ readonly backup: Backup; readonly seal: Seal | null }> {
  makePrivate(backupDir);
  const journal = wanted.resume === true ? cutOff(backupDir) : begun(backupDir, wanted);
  const files: string[] = [];
  try {
    const key = wanted.recipient === null ? null : await newContentKey();
    const seal = key === null ? null : { key, backup: journal.run };
    const parts = await partsOf(wanted.sources, journal, seal, files);
    const manifest = await manifestOf({ journal, parts, key, ...wanted });
    await writeManifest(journal.folder, manifest);
    journal.record(BACKUP_KIND, 'done');
    return { backup: { folder: journal.folder, manifest }, seal };
  } catch (error) {
    for (const file of files) await rm(join(journal.folder, file), { force: true });
    throw error;
  } finally {
    journal.close();
  }
}

function begun(backupDir: string, { recipient, purpose }: Wanted): Journal {
  const journal = beginRun(placeOf(backupDir), new Date());
  journal.record(BACKUP_KIND, 'begun', { encrypted: recipient !== null, purpose: purpose ?? null });
  return journal;
}

const placeOf = (backupDir: string): JournalPlace => ({ folder: backupDir, kind: BACKUP_KIND, processes });

/** The newest, unless it is whole. Throws Failure where there is nothing to go on with, and for one whose key was lost with its process. */
function cutOff(backupDir: string): Journal {
  const place = placeOf(backupDir);
  const newest = listRuns(place).at(-1);
  if (newest === undefined || existsSync(join(folderOf(backupDir, newest), MANIFEST_FILE)))
    throw new Failure('no backup was cut off: there is nothing to go on with');
  const journal = continueRun(place, newest);
  const { encrypted, purpose } = journal.find(BACKUP_KIND, 'begun') ?? {};
  if (encrypted === false && purpose === null) return journal;
  journal.close();
  throw new Failure(
    encrypted === true
      ? `backup ${newest} was to be encrypted, and its key ended with its process: begin anew with \`sallyport backup create\``
      : `backup ${newest} belongs to a restore: \`sallyport backup restore\` makes it anew`,
  );
}

interface Made extends Wanted {
  readonly journal: Journal;
  readonly parts: Part[];
  readonly key: ContentKey | null;
}

async function manifestOf({ journal, parts, key, sources, recipient, purpose }: Made): Promise<Manifest> {
  const encryption =
    key === null || recipient === null
      ? null
      : {
          recipient: recipient.thumbprint,
          key: await wrapped(key, recipient, 'sallyport-backup-1'),
          mac: '',
        };
  const plain: Manifest = {
    format: FORMAT,
    id: journal.run,
    // As old as its oldest part.
    at: journal.entries[0]?.at ?? new Date().toISOString(),
    sallyport: await version(),
    ...(purpose === undefined ? {} : { purpose }),
    parts,
    left_out: [...sources.leftOut],
    encryption,
  };
  return key === null ? plain : withMac(plain, macOf(plain, key));
}

/** Readable by its owner alone, also where it was there before; a volume of another owner stays as it is. */
function makePrivate(dir: string): void {
  makeFolder(dir);
  try {
    chmodSync(dir, 0o700);
  } catch (error) {
    if (systemCode(error) !== 'EPERM') throw error;
  }
}

function withMac(manifest: Manifest, mac: string): Manifest {
  const { encryption } = manifest;
  return { ...manifest, encryption: encryption && { ...encryption, mac } };
}

async function version(): Promise<string> {
  const text = await readFile(join(PROJECT, 'package.json'), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

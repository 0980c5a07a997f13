import { chmodSync, mkdirSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { BACKUP_KIND } from '../../shared/backup/records.ts';
import { OPERATIONS } from '../../shared/configuration/operations.ts';
import { systemCode } from '../../shared/system-errors.ts';
import { openModels, openTuples, processes } from '../deps.ts';
import { Failure } from '../failure.ts';
import { orFailure } from '../fga/connect.ts';
import { exportTo } from '../fga/export.ts';
import { PROJECT } from '../input.ts';
import { beginRun, type Journal } from '../journal.ts';
import { newContentKey, wrapped } from '../sealed/envelope.ts';
import { readRecipient, type SealingKey } from '../sealed/keys.ts';
import { progressBar } from '../terminal.ts';
import { configured } from '../variables.ts';
import { dumpDatabase, type Target } from './database.ts';
import { writePart, type Put, type Seal } from './file.ts';
import { FORMAT, macOf, writeManifest, type Backup, type Manifest, type Part } from './layout.ts';
import { reportCreated, reportPlan, type CreateCommand } from './create-report.ts';
import { prune } from './prune.ts';
import { contentOf, readSources, type Sources, type Text } from './sources.ts';
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
  const { backup, seal } = await createBackup(backupDir, { sources, recipient });
  if (options.verify === true) await prove(backup, seal, backupDir);
  const removed = options.keep === undefined ? [] : await prune(backupDir, options.keep);
  reportCreated(backup, { ...options, removed });
}

export interface Wanted {
  readonly sources: Sources;
  readonly recipient: SealingKey | null;
  readonly purpose?: string;
}

/** Makes one whole backup, or none: what fails leaves a folder without a manifest and without data. Throws Failure. */
export async function createBackup(
  backupDir: string,
  wanted: Wanted,
): Promise<{ readonly backup: Backup; readonly seal: Seal | null }> {
  makePrivate(backupDir);
  const now = new Date();
  const journal = beginRun({ folder: backupDir, kind: BACKUP_KIND, processes }, now);
  const files: string[] = [];
  try {
    const key = wanted.recipient === null ? null : await newContentKey();
    const seal = key === null ? null : { key, backup: journal.run };
    const parts = await partsOf(wanted.sources, journal, seal, files);
    const plain = {
      format: FORMAT,
      id: journal.run,
      at: now.toISOString(),
      sallyport: await version(),
      ...(wanted.purpose === undefined ? {} : { purpose: wanted.purpose }),
      parts,
      left_out: [...wanted.sources.leftOut],
      encryption:
        key === null || wanted.recipient === null
          ? null
          : {
              recipient: wanted.recipient.thumbprint,
              key: await wrapped(key, wanted.recipient, 'sallyport-backup-1'),
              mac: '',
            },
    } satisfies Manifest;
    const manifest = key === null ? plain : withMac(plain, macOf(plain, key));
    await writeManifest(journal.folder, manifest);
    journal.record('backup', 'done');
    return { backup: { folder: journal.folder, manifest }, seal };
  } catch (error) {
    for (const file of files) await rm(join(journal.folder, file), { force: true });
    throw error;
  } finally {
    journal.close();
  }
}

/** Readable by its owner alone, also where it was there before; a volume of another owner stays as it is. */
function makePrivate(dir: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
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

async function partsOf(
  { databases, relations, texts }: Sources,
  journal: Journal,
  seal: Seal | null,
  files: string[],
): Promise<Part[]> {
  const ending = seal === null ? '' : '.jwe';
  const write = <T>(file: string, produce: (put: Put) => Promise<T>) => {
    files.push(file);
    return writePart(journal.folder, file, seal, produce);
  };
  const parts: Part[] = [];
  const keep = async (name: string, part: () => Promise<Part>): Promise<void> => {
    journal.record(name, 'begun');
    parts.push(await part());
    journal.record(name, 'done');
  };
  for (const target of databases)
    await keep(target.name, () => databasePart(target, journal, `${target.name}.dump${ending}`, write));
  if (relations !== null)
    await keep('tuples', async () => {
      const file = `tuples.jsonl${ending}`;
      const { value, ...stored } = await write(file, (put) => orFailure(relationsInto(put, relations)));
      return { kind: 'relations', name: 'tuples', file, ...stored, store: relations.storeId, ...value };
    });
  for (const text of texts) await keep(text.name, () => textPart(text, `${text.name}.json${ending}`, write));
  return parts;
}

type Write = <T>(
  file: string,
  produce: (put: Put) => Promise<T>,
) => Promise<{ readonly bytes: number; readonly sha256: string; readonly value: T }>;

async function databasePart(target: Target, journal: Journal, file: string, write: Write): Promise<Part> {
  const bar = progressBar(`${target.name}: MB`, { long: true });
  try {
    const { value, ...stored } = await write(file, (put) => {
      let bytes = 0;
      return dumpDatabase(target, journal, async (dump) => {
        for await (const chunk of dump as AsyncIterable<Buffer>) {
          await put(chunk);
          bar.update(Math.floor((bytes += chunk.length) / 1e6));
        }
      });
    });
    return { kind: 'database', name: target.name, file, ...stored, ...value };
  } finally {
    bar.end();
  }
}

async function relationsInto(
  put: Put,
  relations: NonNullable<Sources['relations']>,
): Promise<{ readonly model: string; readonly tuples: number }> {
  const served = await openModels(relations).served();
  if (served === undefined)
    throw new Failure(`store ${relations.storeId} has no model: \`sallyport fga bootstrap\` writes one`);
  await put(`${JSON.stringify({ model: served.model })}\n`);
  const bar = progressBar('tuples', { long: true });
  const onProgress = (count: number): void => {
    bar.update(count);
  };
  const tuples = await exportTo(openTuples(relations), put, onProgress).finally(() => {
    bar.end();
  });
  return { model: served.id, tuples };
}

async function textPart(text: Text, file: string, write: Write): Promise<Part> {
  const content = await contentOf(text);
  const { bytes, sha256 } = await write(file, (put) => put(content));
  return { kind: 'text', name: text.name, file, bytes, sha256, variable: text.variable };
}

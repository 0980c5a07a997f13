import { rm } from 'node:fs/promises';
import { OPERATIONS } from '../../shared/configuration/operations.ts';
import { processes } from '../deps.ts';
import { Failure } from '../failure.ts';
import { beginRun, continueRun, listRuns, type Journal, type JournalPlace } from '../journal.ts';
import { note, print, printJson } from '../terminal.ts';
import { configured } from '../variables.ts';
import { dropDatabase } from '../zitadel/import/server.ts';
import { shownOf, totalOf, type Target } from './database.ts';
import type { Seal } from './file.ts';
import {
  backupFolder,
  DATABASE_NAMES,
  readBackup,
  writeProof,
  type Backup,
  type DatabasePart,
} from './layout.ts';
import { checkFiles, openSeal } from './open.ts';
import { onServer, rebuild } from './rebuild.ts';
import { checkRelations, checkText } from './contents.ts';
import { targetOf } from './sources.ts';

export interface VerifyCommand {
  /** A file with the private key. */
  readonly key?: string;
  readonly checksums?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Restores a backup into databases of its own, counts their rows, and drops them. Throws Failure. */
export async function runVerify(named: string, options: VerifyCommand): Promise<void> {
  const { backupDir } = configured(OPERATIONS);
  const backup = await readBackup(backupFolder(named, backupDir));
  if (options.dryRun === true) {
    reportPlan(backup, options);
    return;
  }
  if (options.checksums === true) await checkFiles(backup);
  else await prove(backup, await openSeal(backup, options.key), backupDir);
  report(backup, options);
}

/** Records the proof when everything was restored and counted. Throws Failure. */
export async function prove(backup: Backup, seal: Seal | null, backupDir: string): Promise<void> {
  const { folder, manifest } = backup;
  await checkFiles(backup);
  const place: JournalPlace = { folder: backupDir, kind: 'verify', processes };
  await sweep(place);
  const journal = beginRun(place, new Date());
  try {
    for (const part of manifest.parts) {
      note(`verifying: ${part.name}`);
      if (part.kind === 'database') await inScratch(backup, part, seal, journal);
      else if (part.kind === 'relations') await checkRelations(folder, part, seal);
      else await checkText(folder, part, seal);
    }
    await writeProof(backupDir, backup, new Date());
  } finally {
    journal.close();
  }
  await rm(journal.folder, { recursive: true, force: true });
}

const SCRATCH = 'scratch';

async function inScratch(
  { folder }: Backup,
  part: DatabasePart,
  seal: Seal | null,
  journal: Journal,
): Promise<void> {
  const target = serverFor(part);
  const database = `sallyport_verify_${journal.run}_${part.name}`;
  journal.record(SCRATCH, 'begun', { database, name: target.name });
  const { log, onStart } = journal;
  try {
    await rebuild({ target, part, folder, seal, database, owner: null, log, onStart });
  } finally {
    await onServer(target, (server) => dropDatabase(server, database));
    journal.record(SCRATCH, 'done', { database });
  }
}

/** The server of the part's own database, else one of another of ours. Throws Failure where there is none. */
function serverFor({ name }: DatabasePart): Target {
  const found = [name, ...DATABASE_NAMES].map(targetOf).find(({ url }) => url !== '');
  if (found !== undefined) return found;
  throw new Failure(
    `${name} cannot be restored: ${targetOf(name).variable} is not set, and names the server to make a database on`,
  );
}

/** What a verification that was killed has left: its children and its databases. */
async function sweep(place: JournalPlace): Promise<void> {
  for (const run of listRuns(place)) {
    const journal = continueRun(place, run);
    try {
      for (const { step, state, facts } of journal.entries) {
        const name = DATABASE_NAMES.find((each) => each === facts['name']);
        const database = facts['database'];
        if (step !== SCRATCH || state !== 'begun' || name === undefined || typeof database !== 'string')
          continue;
        const target = targetOf(name);
        if (target.url !== '') await onServer(target, (server) => dropDatabase(server, database));
      }
    } finally {
      journal.close();
    }
    await rm(journal.folder, { recursive: true, force: true });
  }
}

function reportPlan({ manifest }: Backup, { json }: VerifyCommand): void {
  const plan = manifest.parts.map((part) => ({
    name: part.name,
    on: part.kind === 'database' ? shownOf(serverFor(part)) : null,
  }));
  if (json === true) printJson({ dry_run: true, backup: manifest.id, parts: plan });
  else
    for (const { name, on } of plan)
      print(on === null ? `${name}: read and counted` : `${name}: into a database of its own beside ${on}`);
}

function report({ folder, manifest }: Backup, { json, checksums = false }: VerifyCommand): void {
  if (json === true) {
    printJson({
      backup: manifest.id,
      folder,
      at: manifest.at,
      proven: !checksums,
      next: checksums ? `sallyport backup verify ${manifest.id}` : `sallyport backup restore ${manifest.id}`,
      parts: manifest.parts.map((part) => ({
        name: part.name,
        ...(part.kind === 'database' && { tables: Object.keys(part.rows).length, rows: totalOf(part.rows) }),
        ...(part.kind === 'relations' && { tuples: part.tuples }),
      })),
    });
    return;
  }
  for (const part of manifest.parts) {
    const how = checksums ? 'as it was written' : 'restored and counted';
    if (part.kind === 'database')
      print(`${part.name}: ${totalOf(part.rows)} rows in ${Object.keys(part.rows).length} tables, ${how}`);
    else if (part.kind === 'relations')
      print(`${part.name}: ${part.tuples} and the model, ${checksums ? how : 'read and counted'}`);
    else print(`${part.name}: ${checksums ? how : 'read'}`);
  }
  note(
    checksums
      ? 'nothing was restored: without --checksums the backup is proven'
      : `backup ${manifest.id} is proven. Bring it back with: sallyport backup restore ${manifest.id}`,
  );
}

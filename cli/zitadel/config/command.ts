import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { orAbsent } from '../../../shared/zitadel/reader.ts';
import { Failure } from '../../failure.ts';
import { colors, interruption, note, print, printJson, progressBar } from '../../terminal.ts';
import type { ZitadelClient } from '../api/client.ts';
import { connected } from '../api/connect.ts';
import { takeLock } from '../lock.ts';
import { currentIdps } from '../setup/identity-providers.ts';
import { currentMail } from '../setup/mail.ts';
import { OutFile } from '../setup/out.ts';
import { carryOut, Stopped, unseenNotes, type Found } from '../setup/run.ts';
import { planImport } from './apply.ts';
import { readFolder, toFiles, writeFolder } from './files.ts';
import type { Configuration, Ids } from './model.ts';
import { readConfiguration } from './read.ts';

export interface ExportCommand {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export interface ImportCommand extends ExportCommand {
  readonly out?: string;
}

/** No file can hold them. */
const NOT_CARRIED = [
  'users, passwords and sessions (`sallyport zitadel import` carries a whole database)',
  'client secrets, personal access tokens, keys of service accounts and signing keys of targets: made anew where they are needed',
  'administrators of the instance, of organisations and of projects, grants of users and of projects',
  'identity providers of single organisations; of domains their verification, and which of them is primary',
  'logos, icons and fonts, certificates of SAML, SMS providers and mail by webhook',
];

export async function runExport(folder: string, options: ExportCommand): Promise<void> {
  const client = connected('IAM_OWNER_VIEWER');
  const [{ configuration, notes }, origin] = await Promise.all([readConfiguration(client), originOf(client)]);
  const files = toFiles(configuration, origin);
  if (options.dryRun !== true) await writeFolder(folder, files);
  const next = `keep ${folder} under version control, and see what \`sallyport zitadel config import ${folder} --dry-run\` would do at another instance`;
  if (options.json === true) {
    printJson({ ok: true, folder, files: [...files.keys()], notes, not_carried: NOT_CARRIED, next });
    return;
  }
  print(`${options.dryRun === true ? 'would write' : 'wrote'} ${files.size} files to ${folder}`);
  for (const each of notes) note(`${colors.yellow('note:')} ${each}`);
  note(`next: ${next}`);
}

/** What texts of the instance name it by. */
async function originOf(client: ZitadelClient): Promise<string> {
  const shape = z.object({ issuer: z.url() });
  const path = '/.well-known/openid-configuration';
  const found = await orAbsent(client.call(shape, { method: 'GET', path, right: 'nothing' }));
  return new URL(found?.issuer ?? client.url).origin;
}

interface Surveyed extends Found {
  readonly ids: Ids;
}

export async function runImport(folder: string, options: ImportCommand): Promise<void> {
  if (!existsSync(join(folder, 'instance.json')))
    throw new Failure(
      `${folder} has no instance.json: it is no folder of \`sallyport zitadel config export\``,
    );
  const client = connected('IAM_OWNER');
  const wanted = await readFolder(folder, await originOf(client));
  if (options.dryRun === true) {
    const found = await surveyed(client, await OutFile.open(options.out), wanted);
    report(folder, options, found, { done: [], planned: found.branches.flat() });
    return;
  }
  // What is read before the lock is held, --out included, may be what another run is about to change.
  const lock = takeLock('config-import');
  try {
    await carriedIn(folder, options, client, wanted);
  } finally {
    lock.release();
  }
}

async function carriedIn(
  folder: string,
  options: ImportCommand,
  client: ZitadelClient,
  wanted: Configuration,
): Promise<void> {
  const out = await OutFile.open(options.out);
  const look = (): Promise<Surveyed> => surveyed(client, out, wanted);
  const found = await look();
  const bar = progressBar('importing', { long: true });
  try {
    const { done, last, unseen } = await carryOut(found, look, bar);
    bar.end();
    report(folder, options, last, { done, planned: [], unseen });
  } catch (error) {
    bar.end();
    if (!(error instanceof Stopped)) throw error;
    const message = `${error.message}\n${error.done.length} of ${found.branches.flat().length} steps are done, and stay. Run the same command again: it goes on where this one stopped`;
    if (options.json === true) printJson({ ok: false, error: message });
    // Of an interruption nothing is said but what is said here.
    if (interruption().aborted) note(message);
    throw new Failure(message, { cause: error });
  }
}

async function surveyed(client: ZitadelClient, out: OutFile, wanted: Configuration): Promise<Surveyed> {
  // Of what Zitadel takes twice silently, a list that is old would make a double.
  await Promise.all([currentMail(client), currentIdps(client)]);
  const read = await readConfiguration(client);
  const plan = planImport({ client, out }, read, wanted);
  return { out, plans: [plan], branches: [plan.steps], last: [], ids: read.ids };
}

type Step = Found['last'][number];

function report(
  folder: string,
  options: ImportCommand,
  { plans, ids }: Surveyed,
  {
    done,
    planned,
    unseen = [],
  }: {
    readonly done: readonly Step[];
    readonly planned: readonly Step[];
    readonly unseen?: readonly string[];
  },
): void {
  const shown = ({ action, what, why }: Step): object => ({ action, what, ...(why !== '' && { why }) });
  const notes = [...plans.flatMap((plan) => plan.notes), ...unseenNotes(unseen)];
  const kept = plans.flatMap((plan) => plan.kept);
  const next =
    planned.length > 0
      ? `\`sallyport zitadel config import ${folder} --out ${options.out ?? 'FILE'}\` does it`
      : options.out === undefined
        ? 'sallyport doctor'
        : `give the variables of ${options.out} to what signs in here, then \`sallyport doctor\``;
  if (options.json === true) {
    printJson({
      ...{ ok: true, changed: done.length, done: done.map(shown), planned: planned.map(shown), kept },
      ...{ ids: Object.fromEntries([...ids].sort()), notes, not_carried: NOT_CARRIED },
      ...{ out: options.out ?? null, next },
    });
    return;
  }
  for (const step of [...done, ...planned]) {
    const label = done.includes(step)
      ? step.action === 'make'
        ? 'made'
        : 'changed'
      : `would ${step.action}`;
    print(`${colors.green(label.padEnd(12))} ${step.what}${step.why === '' ? '' : ` (${step.why})`}`);
  }
  print(
    `${kept.length} as they should be, ${done.length} changed${planned.length > 0 ? `, ${planned.length} differ` : ''}`,
  );
  for (const [name, id] of done.length > 0 ? [...ids].sort() : []) note(`${colors.dim('id')} ${name}: ${id}`);
  for (const each of notes) note(`${colors.yellow('note:')} ${each}`);
  for (const each of NOT_CARRIED) note(`${colors.dim('not carried:')} ${each}`);
  note(`next: ${next}`);
}

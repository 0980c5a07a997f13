import {
  allowAddress,
  dropMails,
  listMails,
  retryMails,
  showMail,
  type Selection,
  type StoredMail,
} from '../../functions/mail/manage.ts';
import type { Database } from '../../shared/ports/database.ts';
import { Failure, UsageError } from '../failure.ts';
import { operator, withDatabase } from '../people/ground.ts';
import { colors, print, printJson } from '../terminal.ts';

export interface Output {
  readonly json?: boolean;
}

export interface ListCommand extends Output {
  readonly status?: 'pending' | 'sent' | 'dead';
  readonly to?: string;
  readonly kind?: string;
  readonly since?: Date;
  readonly limit: number;
}

export interface ChangeCommand extends Output {
  readonly dead?: boolean;
  readonly kind?: string;
  readonly since?: Date;
  readonly dryRun?: boolean;
}

/** Prints mails, newest first. */
export async function runList({ limit, json, ...filter }: ListCommand): Promise<void> {
  const mails = await withDatabase(({ database }) => listMails(database, filter, limit));
  if (json === true) printJson(mails);
  else if (mails.length === 0) print('no mails');
  else for (const mail of mails) print(lineOf(mail));
}

function lineOf({ id, created_at, status, kind, recipient, last_error }: StoredMail): string {
  const trouble = last_error === null ? '' : colors.dim(` (${last_error})`);
  return `${id} ${created_at.toISOString()} ${status.padEnd(7)} ${kind} to ${recipient}${trouble}`;
}

/** Prints one mail without its contents. */
export async function runShow(id: string, { json }: Output): Promise<void> {
  const mail = await withDatabase(({ database }) => showMail(database, id));
  if (mail === undefined) throw noSuchMail(id);
  if (json === true) {
    printJson(mail);
    return;
  }
  for (const [name, value] of Object.entries(mail))
    print(`${name.padEnd(15)} ${value instanceof Date ? value.toISOString() : JSON.stringify(value)}`);
}

/** Makes mails that failed due now. */
export async function runRetry(id: string | undefined, options: ChangeCommand): Promise<void> {
  await change(id, options, 'due now', retryMails, ({ status, attempts, retryable, last_error }) => {
    if (status === 'sent') return 'was sent';
    if (attempts === 0 && status !== 'dead') return 'has not failed: its turn comes by itself';
    if (status === 'dead' && !retryable)
      return `cannot be sent again, its contents are gone: ${last_error ?? ''}`;
    return undefined;
  });
}

/** Ends mails that are not sent. */
export async function runDrop(id: string | undefined, options: ChangeCommand): Promise<void> {
  const drop: Change = (database, selection, dryRun) => dropMails(database, selection, operator(), dryRun);
  await change(id, options, 'dropped', drop, ({ status, retryable }) => {
    if (status === 'sent') return 'was sent';
    return status === 'dead' && !retryable ? 'is dropped already' : undefined;
  });
}

/** Lifts what a bounce or a complaint has stopped. */
export async function runAllow(
  address: string,
  { dryRun = false, json }: Pick<ChangeCommand, 'dryRun' | 'json'>,
): Promise<void> {
  const changed = await withDatabase(({ database }) => allowAddress(database, address, dryRun));
  if (json === true) printJson({ dry_run: dryRun, changed });
  else if (!changed) print(`mail to ${address} is not stopped`);
  else print(`mail to ${address} ${dryRun ? 'would go out again, nothing was changed' : 'goes out again'}`);
}

type Change = (database: Database, selection: Selection, dryRun: boolean) => Promise<string[]>;

async function change(
  id: string | undefined,
  { dead = false, kind, since, dryRun = false, json }: ChangeCommand,
  became: string,
  work: Change,
  /** Why one mail cannot be changed; undefined: it can, or its attempt is under way. */
  obstacle: (mail: StoredMail) => string | undefined,
): Promise<void> {
  if (dead === (id !== undefined)) throw new UsageError('name one mail, or say --dead');
  if (!dead && (kind !== undefined || since !== undefined))
    throw new UsageError('--kind and --since go with --dead');
  const ids = await withDatabase(async ({ database }) => {
    const changed = await work(database, id === undefined ? { status: 'dead', kind, since } : { id }, dryRun);
    if (id === undefined || changed.length > 0) return changed;
    const mail = await showMail(database, id);
    if (mail === undefined) throw noSuchMail(id);
    const why = obstacle(mail) ?? `is under way: \`sallyport mail show ${id}\` tells how it ends`;
    throw new Failure(`mail ${id} ${why}`);
  });
  if (json === true) {
    printJson({ dry_run: dryRun, mails: ids });
    return;
  }
  print(`${ids.length} ${dryRun ? 'would be' : 'are'} ${became}${dryRun ? ', nothing was changed' : ''}`);
  for (const each of ids) print(`  ${each}`);
}

function noSuchMail(id: string): Failure {
  return new Failure(`there is no mail ${id}: \`sallyport mail list\``);
}

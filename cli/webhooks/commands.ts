import {
  listEvents,
  requeue,
  showEvent,
  wouldRequeue,
  type Filter,
  type StoredEvent,
} from '../../functions/webhooks/inbox/manage.ts';
import { Failure, UsageError } from '../failure.ts';
import { withGround } from '../ground.ts';
import { missing } from '../variables.ts';
import { colors, environment, interruption, print, printJson } from '../terminal.ts';
import { withInbox } from './connect.ts';
import { reconcileDeps } from '../../functions/webhooks/jobs.ts';
import { AlreadyPruned, reconcile } from '../../functions/webhooks/reconcile/reconcile.ts';
import { ZITADEL } from '../../shared/configuration/issuers.ts';

export interface Output {
  readonly json?: boolean;
}

export interface ListCommand extends Output {
  readonly status?: 'pending' | 'applied' | 'dead';
  readonly user?: string;
  readonly type?: string;
  readonly since?: Date;
  readonly limit: number;
}

export interface RetryCommand extends Output {
  readonly dead?: boolean;
  readonly dryRun?: boolean;
}

export interface ReplayCommand extends Output {
  readonly user?: string;
  readonly type?: string;
  readonly since?: Date;
  readonly dryRun?: boolean;
}

/** Prints events, newest first. */
export async function runList({ user, limit, json, ...filter }: ListCommand): Promise<void> {
  const events = await withInbox((database) => listEvents(database, { ...filter, subject: user }, limit));
  if (json === true) printJson(events);
  else if (events.length === 0) print('no events');
  else for (const event of events) print(lineOf(event));
}

function lineOf({
  id,
  received_at,
  status,
  type,
  subject,
  sequence,
  attempts,
  last_error,
}: StoredEvent): string {
  const place = sequence === null ? '' : `#${sequence}`;
  const trouble = last_error === null ? '' : colors.dim(` (${attempts} failed: ${last_error})`);
  return `${id} ${received_at.toISOString()} ${status.padEnd(7)} ${type} ${subject}${place}${trouble}`;
}

/** Prints one event with its payload. */
export async function runShow(id: string, { json }: Output): Promise<void> {
  const event = await withInbox((database) => showEvent(database, id));
  if (event === undefined) throw new Failure(`there is no event ${id}`);
  if (json === true) {
    printJson(event);
    return;
  }
  for (const [name, value] of Object.entries(event))
    print(`${name.padEnd(12)} ${value instanceof Date ? value.toISOString() : JSON.stringify(value)}`);
}

/** Makes one event, or all that were set aside, due now. */
export async function runRetry(id: string | undefined, options: RetryCommand): Promise<void> {
  const dead = options.dead === true;
  if (dead && id === undefined) await change({ status: 'dead' }, options);
  else if (!dead && id !== undefined) await change({ id, status: await statusOfFailed(id) }, options);
  else throw new UsageError('name one event, or say --dead');
}

/** The change is conditional on this status, so that an event applied in between is not applied twice. */
async function statusOfFailed(id: string): Promise<'pending' | 'dead'> {
  const event = await withInbox((database) => showEvent(database, id));
  if (event === undefined) throw new Failure(`there is no event ${id}`);
  const { status, attempts, subject, type } = event;
  if (status === 'applied')
    throw new Failure(
      `event ${id} did not fail, it was applied; to apply it again: \`sallyport webhooks replay --user ${subject} --type ${type}\``,
    );
  if (status === 'pending' && attempts === 0)
    throw new Failure(`event ${id} has not failed: its turn comes by itself`);
  return status === 'dead' ? 'dead' : 'pending';
}

/** Makes applied events due again. */
export async function runReplay({ user, type, since, ...options }: ReplayCommand): Promise<void> {
  if (user === undefined && type === undefined && since === undefined)
    throw new UsageError('say which: --user, --type or --since');
  await change({ status: 'applied', subject: user, type, since }, options);
}

async function change(
  filter: Filter & { readonly id?: string },
  { dryRun = false, json }: { readonly dryRun?: boolean; readonly json?: boolean },
): Promise<void> {
  const at = new Date();
  const ids = await withInbox((database) =>
    dryRun ? wouldRequeue(database, filter) : requeue(database, filter, at),
  );
  if (ids.length === 0 && filter.id !== undefined)
    throw new Failure(
      `event ${filter.id} is under way: \`sallyport webhooks show ${filter.id}\` tells how it ends`,
    );
  if (json === true) {
    printJson({ dry_run: dryRun, events: ids });
    return;
  }
  print(`${ids.length} ${dryRun ? 'would be' : 'are'} due now${dryRun ? ', nothing was changed' : ''}`);
  for (const each of ids) print(`  ${each}`);
}

export interface ReconcileCommand {
  readonly since?: Date;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Stores missed events in the inbox, and prints them. */
export async function runReconcile({ since, dryRun = false, json }: ReconcileCommand): Promise<void> {
  const signal = interruption();
  const result = await withGround(ZITADEL, async (config, ground) => {
    const needs = reconcileDeps({ ...ground, config });
    if (needs === null) throw unconfigured();
    return reconcile(needs, { since, dryRun, signal }).catch(orFailure);
  });
  if (json === true) {
    printJson({ dry_run: dryRun, ...result });
    return;
  }
  const { compared, missed, unusable } = result;
  const became = dryRun ? 'nothing was changed' : 'now in the inbox';
  print(`${compared} events since ${result.since.toISOString()}: ${missed.length} missed, ${became}`);
  for (const { createdAt, type, subject, sequence } of missed)
    print(`  ${createdAt ?? 'undated'} ${type} ${subject}#${sequence}`);
  if (unusable > 0)
    print(colors.yellow(`${unusable} cannot be stored: their shape is not that of a user's event`));
}

function unconfigured(): Failure {
  const needed = ['ZITADEL_ISSUER_URL', 'ZITADEL_SERVICE_TOKEN'];
  const absent = needed.filter((name) => (environment[name] ?? '').trim() === '');
  return new Failure(absent.map((name) => missing(name).message).join('\n'));
}

function orFailure(error: unknown): never {
  throw error instanceof AlreadyPruned ? new Failure(error.message, { cause: error }) : error;
}

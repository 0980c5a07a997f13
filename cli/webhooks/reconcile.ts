import { reconcileDeps } from '../../functions/jobs.ts';
import { AlreadyPruned, reconcile } from '../../functions/webhooks/reconcile/reconcile.ts';
import { Failure, missing } from '../failure.ts';
import { interruption } from '../interrupt.ts';
import { colors, environment, print, printJson } from '../terminal.ts';
import { withDeps } from '../with-deps.ts';

export interface ReconcileCommand {
  readonly since?: Date;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Puts missed events into the inbox, and prints which. */
export async function runReconcile({ since, dryRun = false, json }: ReconcileCommand): Promise<void> {
  const signal = interruption();
  const result = await withDeps('events', (deps) => {
    const needs = reconcileDeps(deps);
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

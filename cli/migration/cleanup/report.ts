import { colors, print, printJson } from '../../terminal.ts';
import { Failure } from '../../failure.ts';
import type { Reference } from '../../people/references.ts';
import type { Counts } from './content.ts';
import type { GateLine } from './gate.ts';

export function linesOf(gate: readonly GateLine[]): string[] {
  return gate.flatMap(({ ok, missing, says, examples }) => [
    `${ok ? colors.green('ok     ') : colors.red('missing')} ${says}`,
    ...(ok ? [] : examples.map((example) => `          ${example}`)),
    ...(!ok && missing > examples.length && examples.length > 0
      ? [`          and ${missing - examples.length} more`]
      : []),
  ]);
}

interface Asked {
  readonly database: string;
  readonly json?: boolean;
}

/** Throws Failure after printing every line. */
export function refuseUnless(gate: readonly GateLine[], { database, json }: Asked): void {
  if (gate.every(({ ok }) => ok)) return;
  if (json === true) printJson({ database, dry_run: false, ok: false, gate });
  else for (const line of linesOf(gate)) print(line);
  throw new Failure('the gate is closed: nothing was changed');
}

export interface Dropped {
  readonly id: string;
  readonly archive: string;
  readonly sha256: string;
  readonly counts: Counts;
}

export type References = readonly Reference[];

/** Without `done`: what would be done. Throws Failure where it would be refused. */
export function reportApply(
  options: Asked,
  gate: readonly GateLine[],
  counts: Counts,
  named: References,
  done?: Dropped,
): void {
  const open = gate.every(({ ok }) => ok) && named.length === 0;
  if (options.json === true)
    printJson({
      database: options.database,
      dry_run: done === undefined,
      ok: open,
      ...counts,
      ...(done === undefined
        ? { gate, named_elsewhere: named }
        : { run: done.id, archive: done.archive, sha256: done.sha256 }),
    });
  else {
    if (done === undefined) for (const line of linesOf(gate)) print(line);
    const would = done === undefined ? 'would lose' : 'have lost';
    print(
      `${counts.passwords} of ${counts.people} people ${would} their password, ${counts.removed} without an account ${done === undefined ? 'would be' : 'were'} removed with ${counts.sessions} sessions`,
    );
    print(`${counts.linked} accounts known by a link alone, ${counts.waves} planned waves cancelled`);
    for (const { name, rows } of named)
      print(`${colors.red('in the way')}: ${rows} rows of ${name} name people who would be removed`);
    if (done === undefined) print('nothing was changed');
    else {
      print(`archive ${done.archive}, SHA-256 ${done.sha256}`);
      print(`to undo: sallyport migration cleanup restore ${done.archive} --key FILE`);
    }
  }
  if (!open) throw new Failure('');
}

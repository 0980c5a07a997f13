import { InvalidArgumentError, Option, type Command } from 'commander';
import { YES_OPTION } from '../confirm.ts';
import { withExamples } from '../help.ts';
import { DRY_RUN, JSON_OPTION, wholeNumber } from '../input.ts';
import type { ImportCommand } from './import/prepare.ts';
import type { RunCommand } from './import/recover.ts';

const MOST_WAIT_SECONDS = 86_400;
const DEFAULT_WAIT_SECONDS = 600;
const MOST_JOBS = 64;

/** `zitadel import`, and what ends or undoes an import. */
export function registerImport(zitadel: Command): void {
  const command = zitadel
    .command('import')
    .description(
      'Put a dump of another Zitadel in the place of this one: proven beforehand, restored beside, then swapped in.',
    )
    .argument('[dump]', 'of pg_dump: plain (also .gz and .zst), custom or directory format')
    .addOption(
      new Option(
        '--to <where>',
        'how Zitadel is stopped and started (default: kubernetes with KUBE_NAMESPACE or KUBE_CONTEXT)',
      ).choices(['kubernetes', 'postgres']),
    )
    .option('--plan <file>', 'keep the plan in this file; one that is there must still be the same')
    .option('--resume', 'go on with the import that was cut off')
    .option('--target-version <version>', 'of the Zitadel that will run on it, as in 4.13.1', version)
    .option(
      '--wait <seconds>',
      'how long to wait for sessions to end, and for Zitadel to start',
      wholeNumber(1, MOST_WAIT_SECONDS),
      DEFAULT_WAIT_SECONDS,
    )
    .option(
      '--jobs <n>',
      'sessions that restore a custom or directory dump at once (default: one per processor, at most 8)',
      wholeNumber(1, MOST_JOBS),
    )
    .option(
      '--zitadel <kind/name>',
      'what runs Zitadel in Kubernetes, where it is not found by name, label or image',
    )
    .option('--login <kind/name>', 'what runs Login v2 there')
    .option(...YES_OPTION)
    .option(...DRY_RUN)
    .option(...JSON_OPTION)
    .action(async (dump: string | undefined, options: ImportCommand) =>
      (await import('./import/command.ts')).runImport(dump, options),
    );
  withExamples(command, [
    [
      'sallyport zitadel import dump.sql.gz --to postgres --dry-run',
      'whether it will work, and what it would do',
    ],
    [
      'sallyport zitadel import dump.custom --to kubernetes',
      'shows the plan and asks for the name of the database',
    ],
    ['sallyport zitadel import --resume', 'go on after an interruption'],
    ['sallyport zitadel import finish', 'remove the former database, once all is well'],
    ['sallyport zitadel import recover', 'back to the database as it was before'],
  ]);
  registerFinish(command);
  registerRecover(command);
}

function version(text: string): string {
  if (/^v?\d+(?:\.\d+){0,2}(?:[-+].*)?$/.test(text)) return text;
  throw new InvalidArgumentError('write it as 4.13.1.');
}

function registerFinish(group: Command): void {
  withExamples(
    withWays(
      group.command('finish').description('Remove the former database that an import has kept.'),
    ).action(async (run: string | undefined, _: RunCommand, command: Command) =>
      (await import('./import/finish.ts')).runFinish(run, command.optsWithGlobals()),
    ),
    [['sallyport zitadel import finish', 'of the newest import; its backup stays in BACKUP_DIR']],
  );
}

function registerRecover(group: Command): void {
  withExamples(
    withWays(
      group
        .command('recover')
        .description(
          'Put the former database back: the one that was kept, else the one in the backup of the import.',
        )
        .option(
          '--wait <seconds>',
          'how long to wait for sessions to end',
          wholeNumber(1, MOST_WAIT_SECONDS),
          DEFAULT_WAIT_SECONDS,
        ),
    ).action(async (run: string | undefined, _: RunCommand, command: Command) =>
      (await import('./import/recover.ts')).runRecover(run, command.optsWithGlobals()),
    ),
    [
      ['sallyport zitadel import recover', 'of the newest import'],
      ['sallyport zitadel import recover 20260131093000', 'of that one'],
    ],
  );
}

/** Options after the name of a subcommand are taken by `import`, which has them too. */
function withWays(command: Command): Command {
  return command
    .argument('[run]', 'fourteen digits, as the import printed them (default: the newest)')
    .option(...YES_OPTION)
    .option(...DRY_RUN)
    .option(...JSON_OPTION);
}

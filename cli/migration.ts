import { Option, type Command } from 'commander';
import { UsageError } from './failure.ts';
import { withExamples } from './help.ts';
import { DRY_RUN, JSON_OPTION, since, uuid } from './input.ts';
import { registerCleanup } from './migration/cleanup.ts';
import type { DeadlineCommand } from './migration/deadline.ts';
import type { FinaliseCommand } from './migration/finalise.ts';
import type { RollbackCommand } from './migration/rollback.ts';
import type { StatusCommand } from './migration/status.ts';
import type { SwitchCommand } from './migration/switch.ts';

export function registerMigration(program: Command): void {
  const migration = withExamples(
    program.command('migration').description('The move of people from passwords to the identity provider.'),
    [
      ['sallyport migration pause', 'stop mail, provisioning and deadlines at once; both doors stay open'],
      ['sallyport migration rollback --tenant acme --dry-run', 'what a rollback of one tenant would do'],
    ],
  );
  registerStatus(migration);
  registerDeadline(migration);
  registerSwitches(migration);
  registerRollback(migration);
  registerFinalise(migration);
  registerCleanup(migration);
}

function registerStatus(migration: Command): void {
  withExamples(
    migration
      .command('status')
      .description('Where the move stands: totals, a bar per tenant, pace, forecast, targets, alarms.')
      .option('--tenant <slug>', 'of this tenant, by slug or id')
      .option(
        '--since <when>',
        'count targets from here instead of the first wave: an ISO date, or 60d',
        since,
      )
      .option(...JSON_OPTION)
      .action(async (options: StatusCommand) => (await import('./migration/status.ts')).runStatus(options)),
    [
      ['sallyport migration status', 'the dashboard in a terminal'],
      ['sallyport migration status --tenant acme --json', 'of one tenant, for a script'],
    ],
  );
}

function registerDeadline(migration: Command): void {
  const deadline = withExamples(
    migration
      .command('deadline')
      .description('When passwords of a tenant end; sign-in by the provider goes on.'),
    [
      [
        'sallyport migration deadline set 2027-03-31 --tenant acme',
        'passwords of acme end with that day, UTC',
      ],
    ],
  );
  withExamples(
    which(
      deadline
        .command('set')
        .description('Set the deadline: from then on a right password is answered with the way to go on.')
        .argument('<date>', 'a day, whose end in UTC counts, or a time as RFC 3339 has it')
        .option('--yes', 'also when it is past'),
    ).action(async (date: string, options: DeadlineCommand) =>
      (await import('./migration/deadline.ts')).runSet(date, options),
    ),
    [
      ['sallyport migration deadline set 2027-03-31 --all', 'for every tenant'],
      [
        'sallyport migration deadline set 2027-03-31T12:00:00Z --tenant acme --dry-run',
        'to the minute; only shown',
      ],
    ],
  );
  withExamples(
    which(deadline.command('clear').description('Take the deadline away.')).action(
      async (options: DeadlineCommand) => (await import('./migration/deadline.ts')).runClear(options),
    ),
    [['sallyport migration deadline clear --tenant acme', 'passwords of acme go on']],
  );
}

/** Adds --tenant and --all, of which one has to be given; throws UsageError where none is. */
function which(command: Command): Command {
  return command
    .addOption(new Option('--tenant <slug>', 'of this tenant, by slug or id').conflicts('all'))
    .option('--all', 'of every tenant')
    .option(...DRY_RUN)
    .option(...JSON_OPTION)
    .hook('preAction', (_command, action) => {
      const { tenant, all, undo } = action.opts<{ tenant?: string; all?: boolean; undo?: string }>();
      if (tenant === undefined && all !== true && undo === undefined)
        throw new UsageError('say which: --tenant SLUG or --all');
    });
}

function registerSwitches(migration: Command): void {
  withExamples(
    migration
      .command('pause')
      .description('The kill switch: no mail, no provisioning, no forced move. Both doors stay open.')
      .option(...DRY_RUN)
      .option(...JSON_OPTION)
      .action(async (options: SwitchCommand) => (await import('./migration/switch.ts')).runPause(options)),
    [['sallyport migration pause', 'a run under way stops at its next step, and goes on by --resume']],
  );
  withExamples(
    migration
      .command('resume')
      .description('Let the migration go on.')
      .option(...DRY_RUN)
      .option(...JSON_OPTION)
      .action(async (options: SwitchCommand) => (await import('./migration/switch.ts')).runResume(options)),
    [['sallyport migration resume', 'mail, provisioning and deadlines count again']],
  );
}

function registerRollback(migration: Command): void {
  withExamples(
    which(
      migration
        .command('rollback')
        .description('Take people back to their passwords. Who has none to go back to is listed and kept.')
        .option('--clear-links', 'their links to accounts of the provider go too')
        .addOption(
          new Option('--undo <run>', 'bring back what one rollback took').argParser(
            uuid('the id of a rollback, as it printed it'),
          ),
        ),
    ).action(async (options: RollbackCommand) =>
      (await import('./migration/rollback.ts')).runRollback(options),
    ),
    [
      ['sallyport migration rollback --tenant acme --dry-run', 'how many, and who is kept'],
      ['sallyport migration rollback --all --clear-links', 'everybody, links included'],
      ['sallyport migration rollback --undo 4f6c…', 'the line that the rollback printed'],
    ],
  );
}

function registerFinalise(migration: Command): void {
  withExamples(
    migration
      .command('finalise')
      .description(
        "End Kanidm's sync account when all are across; people and passwords stay. Cannot be undone.",
      )
      .requiredOption('--sync-account <name>', 'its name at Kanidm')
      .option('--dry-run', 'print what would be ended, change nothing')
      .option(...JSON_OPTION)
      .action(async (options: FinaliseCommand) =>
        (await import('./migration/finalise.ts')).runFinalise(options),
      ),
    [
      [
        'sallyport migration finalise --sync-account sallyport < admin-token',
        "with an administrator's token",
      ],
      ['sallyport migration finalise --sync-account sallyport', 'print the command that does it'],
    ],
  );
}

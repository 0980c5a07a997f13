import { Argument, type Command } from 'commander';
import { functionsOn, scheduleOf } from '../functions/catalogue.ts';
import type { Output, RunCommand } from './cron/commands.ts';
import { withExamples } from './help.ts';
import { environment } from './terminal.ts';

export function registerCron(program: Command): void {
  const cron = withExamples(
    program.command('cron').description('The regular jobs, and their runs in DATABASE_URL.'),
    [
      ['sallyport cron list', 'every job, its schedule and its last run'],
      ['sallyport cron run webhooks-apply', 'run one now'],
    ],
  );
  withExamples(
    cron
      .command('list')
      .description('List the jobs with their schedule (UTC) and their last run.')
      .option('--json', 'print the list as JSON')
      .action(async (options: Output) => (await import('./cron/commands.ts')).runList(options)),
    [['sallyport cron list --json', 'for monitoring']],
  );
  withExamples(
    cron
      .command('run')
      .description('Run a job now, unless a replica is running it.')
      .addArgument(jobArgument())
      .option('--dry-run', 'print what it would do, change nothing')
      .option('--json', 'print the result as JSON')
      .action(async (job: string, options: RunCommand) =>
        (await import('./cron/commands.ts')).runJob(job, options),
      ),
    [['sallyport cron run webhooks-reconcile --dry-run', 'how many deliveries were missed']],
  );
}

/** Choices for help and completion only: the command itself refuses others, with its own message. */
function jobArgument(): Argument {
  const argument = new Argument('<job>', 'as `sallyport cron list` names it');
  argument.argChoices = scheduleOf(functionsOn(environment)).map(({ job }) => job);
  return argument;
}

import type { Command } from 'commander';
import type { MigrateCommand, Output, RunOptions } from './db/commands.ts';
import { withExamples } from './help.ts';
import { wholeNumber } from './input.ts';

const SECONDS = wholeNumber(0, 9_999_999);
/** Never 0, which means no bound in Postgres. */
const MILLISECONDS = wholeNumber(1, 9_999_999);

export function registerDb(program: Command): void {
  const db = withExamples(
    program.command('db').description('The database behind DATABASE_URL: its migrations.'),
    [
      ['sallyport db migrate --dry-run', 'what would run'],
      ['sallyport db migrate', 'run it'],
      ['sallyport db baseline', 'adopt a database that has the tables already'],
      ['sallyport db verify', 'compare the live schema with what the migrations promise'],
    ],
  );
  registerMigrate(db);
  registerBaseline(db);
  registerReaders(db);
}

function registerMigrate(db: Command): void {
  withExamples(
    db
      .command('migrate')
      .description(
        'Run the pending migrations, safely on a live database; again after a failure goes on from there.',
      )
      .option('--dry-run', 'print what would run, change nothing')
      .option('--json', 'print the result as JSON')
      .option('--wait <seconds>', 'how long to wait for another run to end', SECONDS, 60)
      .option(
        '--lock-timeout <ms>',
        'how long a statement may queue for a lock before it gives way',
        MILLISECONDS,
        1000,
      )
      .action(async (options: MigrateCommand) => (await import('./db/commands.ts')).runMigrate(options)),
    [
      ['sallyport db migrate', 'bring the database up to date'],
      ['sallyport db migrate --dry-run --json', 'the plan, for a pipeline'],
    ],
  );
}

function registerBaseline(db: Command): void {
  withExamples(
    db
      .command('baseline')
      .description(
        'Adopt a database that has the tables already: record its migrations, change nothing else.',
      )
      .option('--dry-run', 'print what would be recorded, change nothing')
      .option('--json', 'print the result as JSON')
      .option('--wait <seconds>', 'how long to wait for another run to end', SECONDS, 60)
      .action(async (options: RunOptions) => (await import('./db/commands.ts')).runBaseline(options)),
    [['sallyport db baseline --dry-run', 'whether and how the database can be adopted']],
  );
}

function registerReaders(db: Command): void {
  withExamples(
    db
      .command('status')
      .description('List the migrations and which have run.')
      .option('--json', 'print the list as JSON')
      .action(async (options: Output) => (await import('./db/commands.ts')).runStatus(options)),
    [['sallyport db status', 'applied, baselined and pending migrations']],
  );
  withExamples(
    db
      .command('verify')
      .description(
        'Find what the live schema lacks: tables, columns, indexes, edited files. Exit code 1 when it does.',
      )
      .option('--json', 'print the differences as JSON')
      .action(async (options: Output) => (await import('./db/commands.ts')).runVerify(options)),
    [['sallyport db verify', 'in a deployment, before traffic']],
  );
  withExamples(
    db
      .command('schema')
      .description('Print the live schema as JSON, in the form of migrations/schema/.')
      .action(async () => (await import('./db/commands.ts')).runSchema()),
    [['sallyport db schema > before.json', 'to compare with later']],
  );
}

import type { Command } from 'commander';
import { withExamples } from '../help.ts';
import { DRY_RUN, JSON_OPTION, wholeNumber } from '../input.ts';
import type { ApplyCommand } from './cleanup/apply.ts';
import type { CheckCommand } from './cleanup/check.ts';
import type { RestoreCommand } from './cleanup/restore.ts';

const BACKUP = ['--backup <file>', 'a dump of pg_dump younger than a day; it is read to its end'] as const;
const WAIT = [
  '--wait <seconds>',
  'how long to wait for sign-ins and runs under way',
  wholeNumber(0, 9_999),
  30,
] as const;

export function registerCleanup(migration: Command): void {
  const cleanup = withExamples(
    migration
      .command('cleanup')
      .description('The end of the move: the passwords are dropped, behind a gate.'),
    [
      ['sallyport migration cleanup check --backup today.dump', 'what still stands in the way'],
      ['sallyport migration cleanup restore cleanup.archive --key private.jwk', 'bring everything back'],
    ],
  );
  withExamples(
    cleanup
      .command('check')
      .description('The gate line by line, with what is missing. Exit code 1 while it is closed.')
      .option(...BACKUP)
      .option('--remove-without-account', 'judge as for apply with it')
      .option(...JSON_OPTION)
      .action(async (options: CheckCommand) => (await import('./cleanup/check.ts')).runCheck(options)),
    [['sallyport migration cleanup check --backup today.dump', 'all of the gate, the backup included']],
  );
  registerApply(cleanup);
  withExamples(
    cleanup
      .command('restore')
      .description('Bring back what one clean-up dropped: columns, values, and people who were removed.')
      .argument('<archive>', 'the file that apply wrote')
      .requiredOption('--key <file>', 'the private JWK of its recipient')
      .option(...WAIT)
      .option(...DRY_RUN)
      .option(...JSON_OPTION)
      .action(async (archive: string, options: RestoreCommand) =>
        (await import('./cleanup/restore.ts')).runRestore(archive, options),
      ),
    [
      [
        'sallyport migration cleanup restore cleanup.archive --key private.jwk',
        'the line that apply printed',
      ],
    ],
  );
}

function registerApply(cleanup: Command): void {
  withExamples(
    cleanup
      .command('apply')
      .description(
        'Drop the passwords for good, once the gate is open and what is dropped lies in an archive.',
      )
      .requiredOption('--database <name>', 'the name of the database, typed to be sure')
      .option('--archive <file>', 'where what is dropped is kept, encrypted')
      .option('--recipient <file>', 'the public JWK that the archive is encrypted to')
      .option(...BACKUP)
      .option(
        '--remove-without-account',
        'archive and remove deleted, suspended and excluded people without an account',
      )
      .option(...WAIT)
      .option(...DRY_RUN)
      .option(...JSON_OPTION)
      .action(async (options: ApplyCommand) => (await import('./cleanup/apply.ts')).runApply(options)),
    [
      ['sallyport migration cleanup apply --database app --dry-run', 'what would go, with counts'],
      [
        'sallyport migration cleanup apply --database app --archive cleanup.archive --recipient public.jwk',
        'drop the passwords',
      ],
    ],
  );
}

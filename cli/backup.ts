import { InvalidArgumentError, type Command } from 'commander';
import type { CreateCommand } from './backup/create-report.ts';
import type { FinishCommand } from './backup/finish.ts';
import { PART_NAMES, type PartName } from './backup/layout.ts';
import type { RestoreCommand } from './backup/restore.ts';
import type { VerifyCommand } from './backup/verify.ts';
import { YES_OPTION } from './confirm.ts';
import { withExamples } from './help.ts';
import { DRY_RUN, JSON_OPTION, wholeNumber } from './input.ts';

const KEY = [
  '--key <file>',
  'private half (PEM or JWK) of the key that the backup was encrypted to',
] as const;
const WAIT = [
  '--wait <seconds>',
  'how long to wait for sessions of the databases to end',
  wholeNumber(0, 86_400),
  600,
] as const;
const FILE = 'its folder, its id in BACKUP_DIR, or latest';

export function registerBackup(program: Command): void {
  const backup = withExamples(
    program
      .command('backup')
      .description(
        "Zitadel's database, OpenFGA's, ours, tuples and rules: kept, proven by restoring, brought back.",
      ),
    [
      ['sallyport backup create --verify --keep 14', 'each night'],
      ['sallyport backup restore latest', 'shows the plan and asks for the names of the databases'],
    ],
  );
  registerCreate(backup);
  withExamples(
    backup
      .command('list')
      .description('List the backups of BACKUP_DIR, the newest first, and which one was proven.')
      .option(...JSON_OPTION)
      .action(async (options: { readonly json?: boolean }) =>
        (await import('./backup/list.ts')).runList(options),
      ),
    [['sallyport backup list --json', 'for monitoring']],
  );
  registerVerify(backup);
  registerRestore(backup);
  withExamples(
    backup
      .command('finish')
      .description(
        'Remove the databases that a restore has kept, or take back one that was cut off: the former databases have their names again.',
      )
      .argument('[run]', 'the restore (default: the newest)')
      .option(...WAIT)
      .option(...YES_OPTION)
      .option(...DRY_RUN)
      .option(...JSON_OPTION)
      .action(async (run: string | undefined, options: FinishCommand) =>
        (await import('./backup/finish.ts')).runFinish(run, options),
      ),
    [['sallyport backup finish', 'once all is well after a restore']],
  );
}

function registerCreate(backup: Command): void {
  withExamples(
    backup
      .command('create')
      .description('Back up all that variables lead to into one folder with a manifest and checksums.')
      .option('--recipient <file>', 'encrypt to this public key (PEM or JWK)')
      .option('--resume', 'go on with the one that was cut off: parts of it that are whole stay')
      .option('--verify', 'restore what was written into databases of its own, and count')
      .option(
        '--keep <n>',
        'then remove all but the newest n, and the last proven one',
        wholeNumber(1, 10_000),
      )
      .option(...DRY_RUN)
      .option(...JSON_OPTION)
      .action(async (options: CreateCommand) => (await import('./backup/create.ts')).runCreate(options)),
    [
      ['sallyport backup create', 'a new folder in BACKUP_DIR'],
      [
        'sallyport backup create --recipient backup.pub.pem --verify',
        'encrypted, and proven before the key is gone',
      ],
      ['sallyport backup create --dry-run', 'what it would hold, and what is left out'],
    ],
  );
}

function registerVerify(backup: Command): void {
  withExamples(
    backup
      .command('verify')
      .description('Restore a backup into databases of its own, count every table, drop them again.')
      .argument('[file]', FILE, 'latest')
      .option(...KEY)
      .option('--checksums', 'only hold the files against the manifest; restore nothing')
      .option('--dry-run', 'print what would be restored, and on which server; restore nothing')
      .option(...JSON_OPTION)
      .action(async (file: string, options: VerifyCommand) =>
        (await import('./backup/verify.ts')).runVerify(file, options),
      ),
    [
      ['sallyport backup verify', 'the newest one'],
      ['sallyport backup verify backups/backup-20261128021500 --key backup.pem', 'an encrypted one'],
    ],
  );
}

function registerRestore(backup: Command): void {
  withExamples(
    backup
      .command('restore')
      .description(
        'Put a backup in the place of what is there: restored beside, counted, then swapped in at once. What is replaced is backed up before, and kept.',
      )
      .argument('<file>', FILE)
      .option(...KEY)
      .option('--only <parts>', `some of ${PART_NAMES.join(', ')}, with commas`, partNames)
      .option('--resume', 'go on with the restore that was cut off')
      .option(...WAIT)
      .option(...YES_OPTION)
      .option(...DRY_RUN)
      .option(...JSON_OPTION)
      .action(async (file: string, options: RestoreCommand) =>
        (await import('./backup/restore.ts')).runRestore(file, options),
      ),
    [
      ['sallyport backup restore latest --dry-run', 'what would go where'],
      ['sallyport backup restore 20261128021500 --only zitadel', 'one of its parts'],
      ['sallyport backup restore 20261128021500 --resume', 'go on after an interruption'],
    ],
  );
}

function partNames(text: string): readonly PartName[] {
  const names = text.split(',').map((name) => name.trim());
  const parts = PART_NAMES.filter((name) => names.includes(name));
  if (parts.length === 0 || names.some((name) => !PART_NAMES.some((each) => each === name)))
    throw new InvalidArgumentError(`Write some of ${PART_NAMES.join(', ')}.`);
  return parts;
}

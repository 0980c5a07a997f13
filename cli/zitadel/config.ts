import type { Command } from 'commander';
import { withExamples } from '../help.ts';
import { DRY_RUN, JSON_OPTION } from '../input.ts';
import type { ExportCommand, ImportCommand } from './config/command.ts';

export function registerConfig(zitadel: Command): void {
  const config = withExamples(
    zitadel
      .command('config')
      .description(
        'Carry an instance’s configuration as readable files, without ids and secrets: from staging to production as a reviewed diff.',
      ),
    [
      [
        'sallyport zitadel config export zitadel/',
        'organisations, projects, applications, policies, texts, actions',
      ],
    ],
  );
  withExamples(
    config
      .command('export')
      .description('Write it to a folder, one topic a file, in one order.')
      .argument('<folder>', 'where to; its folders texts/ and organizations/ are written anew')
      .option(...DRY_RUN)
      .option(...JSON_OPTION)
      .action(async (folder: string, options: ExportCommand) =>
        (await import('./config/command.ts')).runExport(folder, options),
      ),
    [['sallyport zitadel config export zitadel/', 'then `git diff` shows what has changed']],
  );
  withExamples(
    config
      .command('import')
      .description('Bring an instance to what a folder says, by names; what is only at the instance stays.')
      .argument('<folder>', 'what export wrote')
      .option(
        '--out <file>',
        'where client secrets go that are made anew: an env file, or the manifest of a Secret (.yaml)',
      )
      .option(...DRY_RUN)
      .option(...JSON_OPTION)
      .action(async (folder: string, options: ImportCommand) =>
        (await import('./config/command.ts')).runImport(folder, options),
      ),
    [
      ['sallyport zitadel config import zitadel/ --dry-run', 'what would be made and changed'],
      ['sallyport zitadel config import zitadel/ --out clients.env', 'do it; secrets go to that file'],
    ],
  );
}

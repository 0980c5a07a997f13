import { Option, type Command } from 'commander';
import type { ReportCommand } from './access/report.ts';
import { withExamples } from './help.ts';
import { JSON_OPTION } from './input.ts';

export function registerAccess(program: Command): void {
  const access = withExamples(
    program.command('access').description('Who may do what, from OpenFGA (docs/access-report.md).'),
    [['sallyport access report > access.csv', 'for the audit of a quarter']],
  );
  withExamples(
    access
      .command('report')
      .description(
        'Print who may do what, with the tuples that grant it; stale: of users whom the provider no longer has.',
      )
      .option('--user <id>', 'only of this user: the sub of their tokens, or user:… as the log writes it')
      .option('--feature <name>', 'only of this feature, or object with its type')
      .addOption(new Option('--format <format>', 'of the rows').choices(['csv', 'json']).default('csv'))
      .option(...JSON_OPTION)
      .action(async (options: ReportCommand) => (await import('./access/report.ts')).runReport(options)),
    [
      ['sallyport access report > access.csv', 'everybody, for a spreadsheet'],
      ['sallyport access report --feature reports --format json', 'who may do something with one feature'],
      ['sallyport access report --user 269083271862583298', 'all that one person may do'],
    ],
  );
}

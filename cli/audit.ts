import type { Command } from 'commander';
import type { ListCommand } from './audit/list.ts';
import { withExamples } from './help.ts';
import { since, wholeNumber } from './input.ts';

export function registerAudit(program: Command): void {
  const audit = withExamples(
    program.command('audit').description('The record of sign-ins, links, runs, rollbacks and deadlines.'),
    [['sallyport audit list --what link_refused --since 7d', 'links that were refused within a week']],
  );
  withExamples(
    audit
      .command('list')
      .description('List entries, the newest first.')
      .option('--user <id>', 'only about this user')
      .option(
        '--what <kind>',
        'only of this kind, such as signed_in, sign_in_refused, linked, provisioned, run',
      )
      .option('--since <when>', 'since: an ISO date, or a time ago such as 30m, 12h, 7d', since)
      .option('--limit <n>', 'at most', wholeNumber(1, 999_999), 1_000)
      .option('--json', 'print the list as JSON')
      .action(async (options: ListCommand) => (await import('./audit/list.ts')).runList(options)),
    [
      ['sallyport audit list --user 018f… --since 1d', 'what happened to one person'],
      ['sallyport audit list --what rollback --json', 'every rollback'],
    ],
  );
}

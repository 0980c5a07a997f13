import type { Command } from 'commander';
import { withExamples } from '../help.ts';
import { JSON_OPTION } from '../input.ts';
import { DATABASE_OPTION } from './database/options.ts';
import type { VerifyCommand } from './verify/command.ts';

export function registerVerify(zitadel: Command): void {
  withExamples(
    zitadel
      .command('verify')
      .description(
        "Check Zitadel's database: counts, projections behind, rows removed by hand, keys, domains. Exit code 1: something differs.",
      )
      .option('--against <dump|url>', 'compare it with a dump, or with another database')
      .option(...DATABASE_OPTION)
      .option('--instance <id|domain|all>', 'which instance, where the database holds several')
      .option(...JSON_OPTION)
      .action(async (options: VerifyCommand) => (await import('./verify/command.ts')).runVerify(options)),
    [
      ['sallyport zitadel verify', 'is the database whole?'],
      ['sallyport zitadel verify --against zitadel.sql.gz', 'does it hold all that the dump holds?'],
      [
        'sallyport zitadel verify --against postgres://…/zitadel_before --json',
        'what differs from another database',
      ],
    ],
  );
}

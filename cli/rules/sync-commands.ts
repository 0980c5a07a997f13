import { InvalidArgumentError, Option, type Command } from 'commander';
import { withExamples } from '../help.ts';
import type { RulesOptions } from './feature-rules.ts';
import { runRestore, type RestoreCommand } from './restore.ts';
import { runDiff, runSync, type SyncCommand } from './sync.ts';

const PREVIOUS = ['--previous <file>', 'the rules before (default: ACCESS_RULES_PREV)'] as const;
const RULES = [
  '--rules <file>',
  'the rules from now on (default: ACCESS_RULES, or config/access_rules.json)',
] as const;
const JSON_OPTION = ['--json', 'print the result as JSON'] as const;
const WAIT = ['--wait <seconds>', 'how long to wait for another run to end', wholeNumber, 30] as const;

/** The verbs that carry a change of rules over to OpenFGA. */
export function registerSync(rules: Command): void {
  withExamples(
    rules
      .command('diff')
      .description('Say which features a change of rules renames, splits, merges or drops. Reads files only.')
      .option(...PREVIOUS)
      .option(...RULES)
      .option(...JSON_OPTION)
      .action((options: RulesOptions & { json?: boolean }) => runDiff(options)),
    [['sallyport rules diff --previous serving.json', 'against the rules that serve now']],
  );
  registerSyncVerb(rules);
  withExamples(
    rules
      .command('restore')
      .description('Undo one run of rules sync: what it deleted comes back, what it wrote goes.')
      .argument('<run>', 'id that rules sync printed')
      .option(...JSON_OPTION)
      .option(...WAIT)
      .action((run: string, options: RestoreCommand) => runRestore(run, options)),
    [['sallyport rules restore 4f6c…', 'the line that rules sync printed']],
  );
}

function registerSyncVerb(rules: Command): void {
  withExamples(
    rules
      .command('sync')
      .description(
        'Carry the tuples of renamed, split, merged and dropped features over. Goes on after a crash.',
      )
      .option('--dry-run', 'print the plan with its counts, change nothing')
      .addOption(
        new Option('--phase <phase>', 'expand before the new rules serve, contract after').choices([
          'expand',
          'contract',
        ]),
      )
      .option('--allow-widening', 'go ahead although somebody gains access')
      .option(...PREVIOUS)
      .option(...RULES)
      .option(...JSON_OPTION)
      .option(...WAIT)
      .action((options: SyncCommand) => runSync(options)),
    [
      ['sallyport rules sync --dry-run', 'what would be written and deleted, and who would gain what'],
      ['sallyport rules sync --phase expand', 'before the deployment'],
      ['sallyport rules sync --phase contract', 'after it'],
    ],
  );
}

function wholeNumber(value: string): number {
  if (!/^\d{1,5}$/.test(value)) throw new InvalidArgumentError('Write a whole number.');
  return Number(value);
}

import { InvalidArgumentError, Option, type Command } from 'commander';
import { withExamples } from '../help.ts';
import { uuid } from '../uuid.ts';
import type { RulesOptions } from './feature-rules.ts';
import type { RestoreCommand } from './restore.ts';
import type { SyncCommand } from './sync.ts';

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
      .action(async (options: RulesOptions & { json?: boolean }) =>
        (await import('./sync.ts')).runDiff(options),
      ),
    [['sallyport rules diff --previous serving.json', 'against the rules that serve now']],
  );
  registerSyncVerb(rules);
  withExamples(
    rules
      .command('restore')
      .description('Undo one run of rules sync: what it deleted comes back, what it wrote goes.')
      .argument('<run>', 'id that rules sync printed', uuid('the id of a run, as rules sync printed it'))
      .option('--dry-run', 'print how many tuples would come back and go, change nothing')
      .option(...JSON_OPTION)
      .option(...WAIT)
      .action(async (run: string, options: RestoreCommand) =>
        (await import('./restore.ts')).runRestore(run, options),
      ),
    [
      ['sallyport rules restore 4f6c… --dry-run', 'how many tuples would come back and go'],
      ['sallyport rules restore 4f6c…', 'the line that rules sync printed'],
    ],
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
      .action(async (options: SyncCommand) => (await import('./sync.ts')).runSync(options)),
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

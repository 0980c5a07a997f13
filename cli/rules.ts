import { Option, type Command } from 'commander';
import { Failure } from './failure.ts';
import { withExamples } from './help.ts';
import type { CheckOptions } from './rules/check.ts';
import type { ExplainOptions } from './rules/explain.ts';
import { JSON_OPTION, uuid, wholeNumber } from './input.ts';
import type { RulesOptions } from './rules/source.ts';
import type { RestoreCommand, SyncCommand } from './rules/sync.ts';

export function registerRules(program: Command): void {
  const rules = withExamples(
    program
      .command('rules')
      .description('Check access rules, see what they decide, and carry their changes over to OpenFGA.'),
    [
      ['sallyport rules check --strict', 'every fault and warning of the configured rules'],
      ['sallyport rules explain GET /documents/7', 'the rule that decides, and why'],
    ],
  );
  withExamples(
    rules
      .command('check')
      .description('Find every fault of a rules file, with its line and column.')
      .argument('[file]', 'rules file (default: ACCESS_RULES, or config/access_rules.json)')
      .option('--strict', 'fail on warnings too')
      .option(
        '--any-target',
        'take every target as configured: where the gateway’s variables are not at hand',
      )
      .option('--store', 'ask OpenFGA for its model, instead of reading OPENFGA_MODEL')
      .option('--json', 'print the findings as JSON')
      .action(async (file: string | undefined, options: CheckOptions) => {
        const { check } = await import('./rules/check.ts');
        if (!(await check(file, options))) throw new Failure('');
      }),
    [
      ['sallyport rules check', 'check the configured rules'],
      ['sallyport rules check config/access_rules.json --strict', 'for CI: warnings fail too'],
      ['sallyport rules check --store', 'against the model that OpenFGA answers by'],
    ],
  );
  withExamples(
    rules
      .command('explain')
      .description('Say which rule decides on a request, and why the others do not. Fails when none does.')
      .argument('<method>', 'method of the request', (method: string) => method.toUpperCase())
      .argument('<path>', 'path of the request as it is sent, percent-encoding included')
      .option('--rules <file>', 'rules file (default: ACCESS_RULES, or config/access_rules.json)')
      .option('--user <sub>', 'ask OpenFGA about this user too: the chain that grants, or what lacks')
      .option(
        '--issuer <name>',
        'whose subject --user is (default: zitadel, or kanidm where it stands alone)',
      )
      .option('--json', 'print the explanation as JSON')
      .action(async (method: string, path: string, options: ExplainOptions) => {
        const { explainRequest } = await import('./rules/explain.ts');
        if (!(await explainRequest(method, path, options))) throw new Failure('');
      }),
    [
      ['sallyport rules explain GET /documents/7', 'the rule that decides'],
      ['sallyport rules explain DELETE /public/x --rules new.json', 'the same with other rules'],
      ['sallyport rules explain --user alice GET /documents/7', 'whether alice may, and by which relations'],
    ],
  );
  registerSync(rules);
}

const PREVIOUS = ['--previous <file>', 'the rules before (default: ACCESS_RULES_PREV)'] as const;
const RULES = [
  '--rules <file>',
  'the rules from now on (default: ACCESS_RULES, or config/access_rules.json)',
] as const;
const WAIT = [
  '--wait <seconds>',
  'how long to wait for another run to end',
  wholeNumber(0, 99_999),
  30,
] as const;

/** Commands that apply a change of rules to OpenFGA. */
export function registerSync(rules: Command): void {
  withExamples(
    rules
      .command('diff')
      .description('Say which features a change of rules renames, splits, merges or drops. Reads files only.')
      .option(...PREVIOUS)
      .option(...RULES)
      .option(...JSON_OPTION)
      .action(async (options: RulesOptions & { json?: boolean }) =>
        (await import('./rules/sync.ts')).runDiff(options),
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
        (await import('./rules/sync.ts')).runRestore(run, options),
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
      .action(async (options: SyncCommand) => (await import('./rules/sync.ts')).runSync(options)),
    [
      ['sallyport rules sync --dry-run', 'what would be written and deleted, and who would gain what'],
      ['sallyport rules sync --phase expand', 'before the deployment'],
      ['sallyport rules sync --phase contract', 'after it'],
    ],
  );
}

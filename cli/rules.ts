import type { Command } from 'commander';
import { Failure } from './failure.ts';
import { withExamples } from './help.ts';
import type { CheckOptions } from './rules/check.ts';
import type { ExplainOptions } from './rules/explain.ts';
import { registerSync } from './rules/sync-commands.ts';

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

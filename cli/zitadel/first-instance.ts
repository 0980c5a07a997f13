import type { Command } from 'commander';
import { withExamples } from '../help.ts';
import { JSON_OPTION } from '../input.ts';
import type { CheckCommand } from './first-instance/check.ts';

export function registerFirstInstance(zitadel: Command): void {
  const firstInstance = withExamples(
    zitadel.command('first-instance').description('The first start of a Zitadel (docs/first-instance.md).'),
    [['sallyport zitadel first-instance check compose.yaml', 'before the first start']],
  );
  withExamples(
    firstInstance
      .command('check')
      .description(
        'Find what a first start will make otherwise than its variables read, and under which names people sign in.',
      )
      .argument('<file>', 'a compose file, .env, Helm values, or any YAML with the configuration of Zitadel')
      .option(...JSON_OPTION)
      .action(async (file: string, options: CheckCommand) =>
        (await import('./first-instance/check.ts')).runCheck(file, options),
      ),
    [
      ['sallyport zitadel first-instance check compose.yaml', 'with .env beside it, as Compose reads both'],
      ['sallyport zitadel first-instance check values.yaml --json', 'for a pipeline: exit 1 on faults'],
    ],
  );
}

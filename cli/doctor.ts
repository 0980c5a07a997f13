import { Option, type Command } from 'commander';
import { CHECK_NAMES } from '../shared/checks/registry.ts';
import type { DoctorCommand } from './doctor/run.ts';
import { withExamples } from './help.ts';
import { JSON_OPTION } from './input.ts';

export function registerDoctor(program: Command): void {
  withExamples(
    program
      .command('doctor')
      .description(
        'Check everything that requests, regular work and the security checklist need: one line each, with the cause and the next command. Exit 1 with any red.',
      )
      .addOption(only())
      .addOption(
        new Option('--for <purpose>', 'only what a deployment needs, or what requests need').choices([
          'deployment',
          'requests',
        ]),
      )
      .option(...JSON_OPTION)
      .action(async (options: DoctorCommand) => (await import('./doctor/run.ts')).runDoctor(options)),
    [
      ['sallyport doctor', 'everything, at once'],
      ['sallyport doctor --only redis --only database', 'two of them'],
      ['sallyport doctor --json', 'for monitoring: [{name, status, cause, next}]'],
      ['sallyport doctor --for deployment', 'what `npm run deploy` refuses on'],
    ],
  );
}

/** Choices for help and completion only: the command itself refuses others, with the list. */
function only(): Option {
  const option = new Option('--only <name>', 'only this check; may be repeated').argParser(
    (name: string, before: readonly string[] | undefined) => [...(before ?? []), name],
  );
  option.argChoices = [...CHECK_NAMES];
  return option;
}

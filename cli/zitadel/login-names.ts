import { Option, type Command } from 'commander';
import { withExamples } from '../help.ts';
import { JSON_OPTION } from '../input.ts';
import { printJson } from '../terminal.ts';
import { DATABASE_OPTION, INSTANCE_OPTION } from './database/options.ts';
import type { ExplainOptions } from './names/explain.ts';
import type { ListOptions } from './names/list.ts';

const NOBODY = 1;

export function registerLoginNames(zitadel: Command): void {
  const group = withExamples(
    zitadel.command('login-names').description('By which names people sign in, read from the database.'),
    [['sallyport zitadel login-names explain alice@example.org', 'whom this signs in as, and why']],
  );
  withExamples(
    group
      .command('explain')
      .description('Say whom an input signs in as, and why. Exit code 1: nobody.')
      .argument('<input>', 'what is typed at the sign-in page')
      .option('--org <org>', 'the organisation that the application asks for: id, name or domain')
      .addOption(
        new Option('--org-scope <by>', 'by what it asks for it (default: id)').choices(['id', 'domain']),
      )
      .addOption(
        new Option('--login <pages>', 'which sign-in pages (default: as the instance has it)').choices([
          'v1',
          'v2',
        ]),
      )
      .option(...DATABASE_OPTION)
      .option(...INSTANCE_OPTION)
      .option('--history', 'search all events for former names, however many')
      .option(...JSON_OPTION)
      .action(async (input: string, options: ExplainOptions & { readonly json?: boolean }) => {
        const { explain } = await import('./names/explain.ts');
        const { explanationJson, printExplanation } = await import('./names/print.ts');
        const explained = await explain(input, options);
        if (options.json === true) printJson(explanationJson(explained));
        else printExplanation(explained);
        if (explained.signs_in_as.length === 0) process.exitCode = NOBODY;
      }),
    [
      [
        'sallyport zitadel login-names explain alice --org beta.example.org --org-scope domain',
        'in the scope of an organisation',
      ],
      ['sallyport zitadel login-names explain alice@example.org --login v2', 'at the pages of Login v2'],
    ],
  );
  withExamples(
    group
      .command('list')
      .description('List the login names of a user, the primary one first, or of everybody.')
      .argument('[user]', 'id, login name or e-mail')
      .option(...DATABASE_OPTION)
      .option(...INSTANCE_OPTION)
      .option(...JSON_OPTION)
      .action(async (user: string | undefined, options: ListOptions) =>
        (await import('./names/list.ts')).runList(user, options),
      ),
    [
      ['sallyport zitadel login-names list alice@example.org', 'every name of one user'],
      ['sallyport zitadel login-names list --json', 'everybody, a line each'],
    ],
  );
}

import type { Command } from 'commander';
import { YES_OPTION } from '../confirm.ts';
import { withExamples } from '../help.ts';
import { DRY_RUN, JSON_OPTION } from '../input.ts';
import type { RenameCommand } from './users/rename.ts';

export function registerUsers(zitadel: Command): void {
  const users = withExamples(zitadel.command('users').description('Users of Zitadel, changed by its API.'), [
    ['sallyport zitadel users rename alice alice@example.org --dry-run', 'what a rename would change'],
  ]);
  withExamples(
    users
      .command('rename')
      .description(
        'Give a user another username, and another e-mail too; by the API, with the events that prove it.',
      )
      .argument('<user>', 'id, login name or e-mail')
      .argument('<new>', 'the new username')
      .option('--email <address>', 'its e-mail from then on')
      .option('--verified', 'take the e-mail as verified; without it a code is mailed')
      .option(...YES_OPTION)
      .option(...DRY_RUN)
      .option(...JSON_OPTION)
      .action(async (user: string, name: string, options: RenameCommand) =>
        (await import('./users/rename.ts')).runRename(user, name, options),
      ),
    [
      [
        'sallyport zitadel users rename alice alice@example.org',
        'asks for the name before it changes anything',
      ],
      [
        'sallyport zitadel users rename 4015… dev@example.org --email dev@example.org --verified --yes',
        'name and e-mail in one call',
      ],
    ],
  );
}

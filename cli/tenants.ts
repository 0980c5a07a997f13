import type { Command } from 'commander';
import { withExamples } from './help.ts';
import { JSON_OPTION } from './input.ts';
import type { ConfirmCommand, ListCommand, SyncCommand } from './tenants/commands.ts';

export function registerTenants(program: Command): void {
  const tenants = withExamples(
    program.command('tenants').description('Tenants, and their groups at the identity provider.'),
    [
      ['sallyport tenants list', 'how far each tenant is'],
      ['sallyport tenants sync', 'groups for every tenant, before anybody is provisioned'],
    ],
  );
  withExamples(
    tenants
      .command('list')
      .description('List tenants with their groups, people and deadline.')
      .option(...JSON_OPTION)
      .action(async (options: ListCommand) => (await import('./tenants/commands.ts')).runList(options)),
    [['sallyport tenants list --json', 'for a script']],
  );
  withExamples(
    tenants
      .command('sync')
      .description(
        'Make the groups of tenants at the provider where they are missing, and map them. Again, it changes nothing.',
      )
      .option('--tenant <slug>', 'only of this tenant, by slug or id')
      .option('--dry-run', 'print what would be made, change nothing')
      .option(...JSON_OPTION)
      .action(async (options: SyncCommand) => (await import('./tenants/commands.ts')).runSync(options)),
    [
      ['sallyport tenants sync --dry-run', 'which groups are missing'],
      ['sallyport tenants sync --tenant acme', 'the groups of one tenant'],
    ],
  );
  withExamples(
    tenants
      .command('confirm')
      .description("Note the tenant's own word that it is done, for the clean-up gate.")
      .argument('<slug>', 'slug or id of the tenant')
      .option('--by <who>', 'who gave it (default: the user of this command)')
      .option('--dry-run', 'print what would be noted, change nothing')
      .option(...JSON_OPTION)
      .action(async (slug: string, options: ConfirmCommand) =>
        (await import('./tenants/commands.ts')).runConfirm(slug, options),
      ),
    [['sallyport tenants confirm acme --by "Carol of acme"', 'after they said so']],
  );
}

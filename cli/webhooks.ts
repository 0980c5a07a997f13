import { Option, type Command } from 'commander';
import { withExamples } from './help.ts';
import { since, uuid, wholeNumber } from './input.ts';
import type {
  ListCommand,
  Output,
  ReconcileCommand,
  ReplayCommand,
  RetryCommand,
} from './webhooks/commands.ts';

export function registerWebhooks(program: Command): void {
  const webhooks = withExamples(
    program.command('webhooks').description('The inbox of identity-provider events, in DATABASE_URL.'),
    [
      ['sallyport webhooks list --status dead', 'events that were set aside'],
      ['sallyport webhooks retry --dead', 'try them again, after the cause is gone'],
    ],
  );
  registerReaders(webhooks);
  registerRetry(webhooks);
  registerReplay(webhooks);
  registerReconcile(webhooks);
}

function registerReaders(webhooks: Command): void {
  withExamples(
    webhooks
      .command('list')
      .description('List events, the newest first.')
      .addOption(new Option('--status <status>', 'only these').choices(['pending', 'applied', 'dead']))
      .option('--user <id>', "only of this user, by the provider's id")
      .option('--type <type>', 'only of this type')
      .option('--since <when>', 'received since: an ISO date, or a time ago such as 30m, 12h, 7d', since)
      .option('--limit <n>', 'at most', wholeNumber(1, 99_999), 50)
      .option('--json', 'print the list as JSON')
      .action(async (options: ListCommand) => (await import('./webhooks/commands.ts')).runList(options)),
    [
      ['sallyport webhooks list --status dead', 'events that were set aside, and why'],
      ['sallyport webhooks list --user 269083271862583298 --since 7d', 'what happened to one user'],
    ],
  );
  withExamples(
    webhooks
      .command('show')
      .description('Show one event and its payload, which holds no secrets.')
      .argument('<id>', 'id of the event', eventId)
      .option('--json', 'print it as JSON')
      .action(async (id: string, options: Output) =>
        (await import('./webhooks/commands.ts')).runShow(id, options),
      ),
    [['sallyport webhooks show 0b7d…', 'an event by the id that the sender got']],
  );
}

function registerRetry(webhooks: Command): void {
  withExamples(
    webhooks
      .command('retry')
      .description('Make an event that failed due now: one by its id, or all that were set aside.')
      .argument('[id]', 'id of the event', eventId)
      .option('--dead', 'all that were set aside')
      .option('--dry-run', 'print which, change nothing')
      .option('--json', 'print the ids as JSON')
      .action(async (id: string | undefined, options: RetryCommand) =>
        (await import('./webhooks/commands.ts')).runRetry(id, options),
      ),
    [['sallyport webhooks retry --dead --dry-run', 'which events would be tried again']],
  );
}

function registerReplay(webhooks: Command): void {
  withExamples(
    webhooks
      .command('replay')
      .description(
        'Apply events again that were applied before. Harmless for states and removals; a creation grants again what new users get.',
      )
      .option('--user <id>', "of this user, by the provider's id")
      .option('--type <type>', 'of this type')
      .option('--since <when>', 'received since: an ISO date, or a time ago such as 30m, 12h, 7d', since)
      .option('--dry-run', 'print which, change nothing')
      .option('--json', 'print the ids as JSON')
      .action(async (options: ReplayCommand) => (await import('./webhooks/commands.ts')).runReplay(options)),
    [
      ['sallyport webhooks replay --user 269083271862583298 --dry-run', 'which events of one user'],
      ['sallyport webhooks replay --type user.human.added --since 1d', 'after OpenFGA lost a day of tuples'],
    ],
  );
}

function registerReconcile(webhooks: Command): void {
  withExamples(
    webhooks
      .command('reconcile')
      .description('Ask Zitadel for events whose delivery was missed, and put them into the inbox.')
      .option('--since <when>', 'created since: an ISO date, or a time ago such as 30m, 12h, 7d', since)
      .option('--dry-run', 'print what was missed, change nothing')
      .option('--json', 'print the result as JSON')
      .action(async (options: ReconcileCommand) =>
        (await import('./webhooks/commands.ts')).runReconcile(options),
      ),
    [['sallyport webhooks reconcile --since 7d --dry-run', 'what was missed within a week']],
  );
}

const eventId = uuid('the id of an event, as webhooks list prints it');

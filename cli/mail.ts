import { Option, type Command } from 'commander';
import { withExamples } from './help.ts';
import { DRY_RUN, JSON_OPTION, since, uuid, wholeNumber } from './input.ts';
import type { ChangeCommand, ListCommand, Output } from './mail/commands.ts';

export function registerMail(program: Command): void {
  const mail = withExamples(
    program.command('mail').description('Mails that wait, were sent or were set aside, in DATABASE_URL.'),
    [
      ['sallyport mail list --status dead', 'mails that were set aside, and why'],
      ['sallyport mail retry --dead', 'send them, after the cause is gone'],
    ],
  );
  registerReaders(mail);
  registerChanges(mail);
  registerAllow(mail);
}

function registerReaders(mail: Command): void {
  withExamples(
    mail
      .command('list')
      .description('List mails, the newest first.')
      .addOption(new Option('--status <status>', 'only these').choices(['pending', 'sent', 'dead']))
      .option('--to <address>', 'only to this address')
      .option('--kind <kind>', 'only of this kind, such as invitation or password-reset')
      .option('--since <when>', 'made since: an ISO date, or a time ago such as 30m, 12h, 7d', since)
      .option('--limit <n>', 'at most', wholeNumber(1, 99_999), 50)
      .option(...JSON_OPTION)
      .action(async (options: ListCommand) => (await import('./mail/commands.ts')).runList(options)),
    [
      ['sallyport mail list --to alice@example.org', 'what was sent to one person'],
      ['sallyport mail list --status dead --since 7d', 'what was set aside within a week'],
    ],
  );
  withExamples(
    mail
      .command('show')
      .description(
        'Show one mail: its way and its outcome, not its contents, which hold links that let people in.',
      )
      .argument('<id>', 'id of the mail', mailId)
      .option(...JSON_OPTION)
      .action(async (id: string, options: Output) =>
        (await import('./mail/commands.ts')).runShow(id, options),
      ),
    [['sallyport mail show 0b7d…', 'a mail by its id']],
  );
}

function registerChanges(mail: Command): void {
  withExamples(
    changing(mail.command('retry'), 'all that were set aside, except those that may have arrived')
      .description(
        'Make a mail that failed due now: one by its id, or all that were set aside. It is sent with the same bytes.',
      )
      .action(async (id: string | undefined, options: ChangeCommand) =>
        (await import('./mail/commands.ts')).runRetry(id, options),
      ),
    [['sallyport mail retry --dead --dry-run', 'which mails would be sent again']],
  );
  withExamples(
    changing(mail.command('drop'), 'all that were set aside')
      .description('Never send a mail: one by its id, or all that were set aside. Its record stays.')
      .action(async (id: string | undefined, options: ChangeCommand) =>
        (await import('./mail/commands.ts')).runDrop(id, options),
      ),
    [['sallyport mail drop 0b7d…', 'stop one mail that waits']],
  );
}

function registerAllow(mail: Command): void {
  withExamples(
    mail
      .command('allow')
      .description('Send mail to an address again that a hard bounce or a complaint has stopped.')
      .argument('<address>', 'the address, in any case')
      .option(...DRY_RUN)
      .option(...JSON_OPTION)
      .action(async (address: string, options: Pick<ChangeCommand, 'dryRun' | 'json'>) =>
        (await import('./mail/commands.ts')).runAllow(address, options),
      ),
    [['sallyport mail allow carol@example.org', 'after the mailbox is there again']],
  );
}

function changing(command: Command, dead: string): Command {
  return command
    .argument('[id]', 'id of the mail', mailId)
    .option('--dead', dead)
    .option('--kind <kind>', 'with --dead: only of this kind')
    .option(
      '--since <when>',
      'with --dead: made since: an ISO date, or a time ago such as 30m, 12h, 7d',
      since,
    )
    .option(...DRY_RUN)
    .option(...JSON_OPTION);
}

const mailId = uuid('the id of a mail, as mail list prints it');

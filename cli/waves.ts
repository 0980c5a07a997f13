import { Option, type Command } from 'commander';
import { UsageError } from './failure.ts';
import { withExamples } from './help.ts';
import { DRY_RUN, JSON_OPTION, wholeNumber } from './input.ts';
import type { CodesCommand } from './waves/codes.ts';
import type { CreateCommand } from './waves/create.ts';
import type { Output } from './waves/ground.ts';
import {
  activeWithin,
  deadlineDate,
  listed,
  percent,
  rate,
  remind,
  startDate,
  stopWhen,
  waveName,
} from './waves/options.ts';
import type { PreviewCommand } from './waves/preview.ts';
import type { ResendCommand } from './waves/resend.ts';

export function registerWaves(program: Command): void {
  const waves = withExamples(
    program
      .command('waves')
      .description('Invitations to move to the identity provider, wave by wave (docs/waves.md).'),
    [
      ['sallyport waves create pilot --tenant acme --start 2027-01-11 --dry-run', 'whom a wave would take'],
      ['sallyport waves list', 'how far each wave is'],
      ['sallyport waves pause pilot', 'stop its mails at once'],
    ],
  );
  registerCreate(waves);
  registerLists(waves);
  registerChanges(waves);
  registerMails(waves);
}

function registerCreate(waves: Command): void {
  withExamples(
    waves
      .command('create')
      .description('Plan a wave: its people are fixed when it starts, which it does by itself at its time.')
      .argument('<name>', 'letters, digits, blanks, dot, underline and hyphen', waveName)
      .addOption(
        new Option('--tenant <slugs>', 'of these tenants, by slug or id, comma list')
          .argParser(listed)
          .conflicts('all'),
      )
      .option('--all', 'of every tenant')
      .option(
        '--percent <p>',
        'this share of them, by a lot that each person keeps: 10 % are among 20 %',
        percent,
      )
      .option('--role <role>', 'only who has this role, such as admin')
      .option('--active-within <time>', 'only who signed in within this time, as 90d', activeWithin)
      .option('--limit <n>', 'at most so many', wholeNumber(1, 100_000_000))
      .requiredOption(
        '--start <date>',
        'a day, whose beginning in UTC counts, or a time as RFC 3339 has it',
        startDate,
      )
      .option(
        '--deadline <date>',
        'from then on their passwords no longer sign in: the end of a day, or a time',
        deadlineDate,
      )
      .option('--remind <steps>', 'after each own mail, negative before the deadline: 7d,14d,-3d', remind)
      .option('--rate <rate>', 'mails per window over all instances, as 60/60s (default: MAIL_RATE)', rate)
      .option(
        '--stop-when <triggers>',
        'pause by itself: bounces>2%,complaints>0.1%,failures>5%,tickets>10',
        stopWhen,
      )
      .option('--invite-code', 'at Zitadel: also who has no account yet')
      .option(...DRY_RUN)
      .option(...JSON_OPTION)
      .hook('preAction', (_command, action) => {
        const { tenant, all } = action.opts<{ tenant?: readonly string[]; all?: boolean }>();
        if (tenant === undefined && all !== true)
          throw new UsageError('say of which tenants: --tenant A,B or --all');
      })
      .action(async (name: string, options: CreateCommand) =>
        (await import('./waves/create.ts')).runCreate(name, options),
      ),
    [
      ['sallyport waves create ours --tenant acme --role admin --start 2027-01-11', 'the own people first'],
      [
        'sallyport waves create ten --all --percent 10 --start 2027-02-01 --deadline 2027-03-31 --remind 7d,14d,-3d',
        'a tenth of all, reminded',
      ],
      [
        'sallyport waves create twenty --all --percent 20 --start 2027-02-15 --rate 600/1h --stop-when "bounces>2%"',
        'slowly, and no further when mails bounce',
      ],
    ],
  );
}

function registerLists(waves: Command): void {
  withExamples(
    waves
      .command('list')
      .description('List every wave, with how far its people are.')
      .option('--json', 'print the list as JSON')
      .action(async (options: Output) => (await import('./waves/list.ts')).runList(options)),
    [['sallyport waves list --json', 'for a program']],
  );
  withExamples(
    waves
      .command('show')
      .description('Show one wave: its plan, its people, its mails, and why it paused.')
      .argument('<name>', 'its name')
      .option(...JSON_OPTION)
      .action(async (name: string, options: Output) =>
        (await import('./waves/list.ts')).runShow(name, options),
      ),
    [['sallyport waves show pilot', 'how far it is']],
  );
}

function registerChanges(waves: Command): void {
  const one = (
    name: string,
    description: string,
    run: (name: string, options: Output) => Promise<void>,
    example: string,
  ): void => {
    withExamples(
      waves
        .command(name)
        .description(description)
        .argument('<name>', 'its name')
        .option(...DRY_RUN)
        .option(...JSON_OPTION)
        .action(run),
      [[`sallyport waves ${name} pilot`, example]],
    );
  };
  const load = () => import('./waves/change.ts');
  one(
    'start',
    'Start a planned wave now; needs MAIL_URL.',
    async (name, options) => (await load()).runStart(name, options),
    'before its time',
  );
  one(
    'pause',
    'Stop the mails of a wave, those that wait too.',
    async (name, options) => (await load()).runPause(name, options),
    'nothing of it is mailed',
  );
  one(
    'resume',
    'Go on with a wave; what pauses it by itself counts anew.',
    async (name, options) => (await load()).runResume(name, options),
    'its mails go on',
  );
  one(
    'cancel',
    'End a wave for good: no further mail, no deadline. Links that were mailed go on working.',
    async (name, options) => (await load()).runCancel(name, options),
    'its people are free for another wave',
  );
}

function registerMails(waves: Command): void {
  withExamples(
    waves
      .command('preview')
      .description('Check the templates and show the mails of a wave, with links that lead nowhere.')
      .argument('<name>', 'its name')
      .option('--to <address>', 'send the invitation to this address')
      .option('--out <dir>', 'write every mail into this folder, as text and as HTML')
      .option(...JSON_OPTION)
      .action(async (name: string, options: PreviewCommand) =>
        (await import('./waves/preview.ts')).runPreview(name, options),
      ),
    [
      ['sallyport waves preview pilot --out mails', 'to look at in a browser'],
      ['sallyport waves preview pilot --to me@example.org', 'to look at in a mail program'],
    ],
  );
  withExamples(
    waves
      .command('resend')
      .description('Mail one person a new link; those before it no longer count.')
      .argument('<user>', 'an id or an address')
      .option('--tenant <slug>', 'where an address is in several tenants')
      .option(...DRY_RUN)
      .option(...JSON_OPTION)
      .action(async (user: string, options: ResendCommand) =>
        (await import('./waves/resend.ts')).runResend(user, options),
      ),
    [['sallyport waves resend carol@example.org', 'in a wave or not']],
  );
  withExamples(
    waves
      .command('codes')
      .description('Write a sheet to print: a link for each person of a wave whom no mail reaches.')
      .argument('<name>', 'its name')
      .requiredOption('--out <file>', 'an HTML file, readable by you alone')
      .option(...DRY_RUN)
      .option(...JSON_OPTION)
      .action(async (name: string, options: CodesCommand) =>
        (await import('./waves/codes.ts')).runCodes(name, options),
      ),
    [['sallyport waves codes pilot --out codes.html', 'codes as text and as QR codes']],
  );
}

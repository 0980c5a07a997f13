import { InvalidArgumentError, type Command } from 'commander';
import { YES_OPTION } from '../confirm.ts';
import { withExamples } from '../help.ts';
import { DRY_RUN, JSON_OPTION } from '../input.ts';
import type { ListCommand, RotateCommand } from './tokens/command.ts';

export function registerTokens(zitadel: Command): void {
  const tokens = withExamples(
    zitadel
      .command('tokens')
      .description('Personal access tokens and keys of service accounts (docs/zitadel-tokens.md).'),
    [
      ['sallyport zitadel tokens list', 'how old each is, until when it counts, and what its owner may do'],
      ['sallyport zitadel tokens rotate --out tokens.env', 'replace those older than 90 days'],
    ],
  );
  withExamples(
    tokens
      .command('list')
      .description('List personal access tokens and keys of service accounts, with age, expiry and rights.')
      .option('--older-than <time>', 'only those of this age, such as 90d', age)
      .option(...JSON_OPTION)
      .action(async (options: ListCommand) => (await import('./tokens/command.ts')).runList(options)),
    [['sallyport zitadel tokens list --older-than 90d --json', 'what is overdue']],
  );
  registerRotate(tokens);
}

function registerRotate(tokens: Command): void {
  withExamples(
    tokens
      .command('rotate')
      .description('Make new tokens and keys beside old ones; with --finish, remove the old ones.')
      .option('--older-than <time>', 'of this age', age, age('90d'))
      .option(
        '--out <file>',
        'where the new ones go: an env file, or the manifest of a Kubernetes Secret (.yaml)',
      )
      .option('--grace <time>', 'for how long the old ones go on (default: 7d)', age)
      .option('--finish', 'remove the old ones whose time is over')
      .option('--include-self', 'the token in use and the login client’s too')
      .option(...DRY_RUN)
      .option(...YES_OPTION)
      .option(...JSON_OPTION)
      .action(async (options: RotateCommand) => (await import('./tokens/command.ts')).runRotate(options)),
    [
      ['sallyport zitadel tokens rotate --dry-run', 'which, and which not and why'],
      [
        'sallyport zitadel tokens rotate --out tokens.env',
        'new ones, in that file alone; again after a crash goes on',
      ],
      ['sallyport zitadel tokens rotate --finish', 'a week later: the old ones go'],
    ],
  );
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of 90d, 12h, 30m, 0. Throws InvalidArgumentError. */
function age(value: string): number {
  if (value === '0') return 0;
  const [, count = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(value) ?? [];
  const ms = UNITS[unit];
  if (ms === undefined) throw new InvalidArgumentError('Write a time such as 90d, 12h or 30m.');
  return Number(count) * ms;
}

import { InvalidArgumentError, type Command } from 'commander';
import { withExamples } from '../help.ts';
import { DRY_RUN, JSON_OPTION } from '../input.ts';
import type { SetupCommand } from './setup/command.ts';

const RENEWABLE = [
  'ZITADEL_CLIENT_SECRET',
  'ZITADEL_OAUTH_CLIENT_SECRET',
  'ZITADEL_SERVICE_TOKEN',
  'LOGIN_CLIENT_PAT',
];

export function registerSetup(zitadel: Command): void {
  withExamples(
    zitadel
      .command('setup')
      .description(
        'Bring an instance to what one file says: makes what is missing, changes what differs, touches nothing else.',
      )
      .option('--file <file>', 'what is wanted', 'config/zitadel.setup.json')
      .option(...DRY_RUN)
      .option('--check', 'change nothing; exit 1 when something differs')
      .option(
        '--out <file>',
        'where secrets and ids go: an env file, or the manifest of a Kubernetes Secret (.yaml)',
      )
      .option(
        '--renew <variable>',
        'make this secret anew though it is there; may be given several times',
        renewed,
        [],
      )
      .option('--write-secrets', 'write passwords and client secrets again that Zitadel does not show')
      .option(...JSON_OPTION)
      .action(async (options: SetupCommand) => (await import('./setup/command.ts')).runSetup(options)),
    [
      ['sallyport zitadel setup --dry-run', 'what would be made and changed'],
      ['sallyport zitadel setup --out zitadel.env', 'do it; secrets go to that file, never to the terminal'],
      ['sallyport zitadel setup --out secret.yaml', 'the same, for kubectl apply'],
      ['sallyport zitadel setup --check', 'in a deployment: whether anything has drifted'],
    ],
  );
}

function renewed(variable: string, before: readonly string[]): readonly string[] {
  if (!RENEWABLE.includes(variable)) throw new InvalidArgumentError(`Write one of ${RENEWABLE.join(', ')}.`);
  return [...before, variable];
}

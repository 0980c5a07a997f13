import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import * as z from 'zod';
import { registerCron } from './cron.ts';
import { registerDb } from './db.ts';
import { Failure, UsageError } from './failure.ts';
import { registerFga } from './fga.ts';
import { withExamples } from './help.ts';
import { handleInterrupts, interruptedWith } from './interrupt.ts';
import { registerKeys } from './keys.ts';
import { PROJECT } from './project.ts';
import { registerRules } from './rules.ts';
import { colors, endWithoutReader, note } from './terminal.ts';
import { registerWebhooks } from './webhooks.ts';

/** One line per group of commands. */
const GROUPS: readonly ((program: Command) => void)[] = [
  registerRules,
  registerFga,
  registerKeys,
  registerDb,
  registerWebhooks,
  registerCron,
];

const DONE = 0;
const FAILED = 1;
const USAGE = 2;

const HELP_HINT = '(add --help for usage)';

const packageFile = z.object({ version: z.string() });

/** Runs one command; answers with its exit code: 0 done, 1 refused or failed, 2 usage, 130 interrupted. */
export async function main(argv: readonly string[]): Promise<number> {
  handleInterrupts();
  endWithoutReader();
  try {
    await (await program()).parseAsync(argv);
    return interruptedWith() ?? DONE;
  } catch (error) {
    return interruptedWith() ?? tell(error);
  }
}

/** The tree of all commands. */
export async function program(): Promise<Command> {
  const { version } = packageFile.parse(JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8')));
  const command = new Command('sallyport')
    .description('The command line of the Sallyport auth gateway.')
    .version(version)
    .showHelpAfterError(HELP_HINT)
    .exitOverride();
  for (const register of GROUPS) register(command);
  return withExamples(command, [
    ['sallyport rules check', 'find every fault of the access rules'],
    ['sallyport rules explain GET /documents/7', 'see which rule decides, and why'],
    ['sallyport keys generate', 'make a key for X-Gateway-Assertion'],
  ]).addHelpText('after', '\nExit codes: 0 done, 1 refused or failed, 2 usage, 130 interrupted.');
}

function tell(error: unknown): number {
  // Commander has already said what it had to say.
  if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : USAGE;
  const message = error instanceof Error ? error.message : String(error);
  if (message !== '') note(`${colors.red('error:')} ${message}`);
  if (error instanceof UsageError) {
    note(HELP_HINT);
    return USAGE;
  }
  if (!(error instanceof Failure) && error instanceof Error && error.stack !== undefined)
    note(colors.dim(error.stack));
  return FAILED;
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import * as z from 'zod';
import { UnreadableEnvFile, withEnvFiles } from '../shared/configuration/env-file.ts';
import { systemFault } from '../shared/system-errors.ts';
import { Failure, UsageError } from './failure.ts';
import { elsewhere, registerHelp, withExamples } from './help.ts';
import { handleInterrupts, interruptedWith } from './terminal.ts';
import { PROJECT } from './input.ts';
import {
  colors,
  endWithoutReader,
  environment,
  note,
  printJson,
  resultBegun,
  takeVariables,
} from './terminal.ts';
import { messageOf } from '../shared/errors.ts';

type Register = (program: Command) => void;

/** One line per group of commands. A group is loaded when called, or when all are listed. */
const GROUPS: Readonly<Record<string, () => Promise<Register>>> = {
  rules: async () => (await import('./rules.ts')).registerRules,
  fga: async () => (await import('./fga.ts')).registerFga,
  keys: async () => (await import('./keys.ts')).registerKeys,
  db: async () => (await import('./db.ts')).registerDb,
  tenants: async () => (await import('./tenants.ts')).registerTenants,
  users: async () => (await import('./users.ts')).registerUsers,
  waves: async () => (await import('./waves.ts')).registerWaves,
  migration: async () => (await import('./migration.ts')).registerMigration,
  access: async () => (await import('./access.ts')).registerAccess,
  audit: async () => (await import('./audit.ts')).registerAudit,
  webhooks: async () => (await import('./webhooks.ts')).registerWebhooks,
  mail: async () => (await import('./mail.ts')).registerMail,
  zitadel: async () => (await import('./zitadel.ts')).registerZitadel,
  backup: async () => (await import('./backup.ts')).registerBackup,
  doctor: async () => (await import('./doctor.ts')).registerDoctor,
  cron: async () => (await import('./cron.ts')).registerCron,
  completion: async () => (await import('./completion.ts')).registerCompletion,
};

const DONE = 0;
const FAILED = 1;
const USAGE = 2;

const HELP_HINT = '(add --help for usage)';

const packageFile = z.object({ version: z.string() });

/** Runs one command; returns its exit code: 0 done, 1 refused or failed, 2 usage, 130 interrupted. */
export async function main(argv: readonly string[]): Promise<number> {
  handleInterrupts();
  endWithoutReader();
  const root = await program(argv);
  try {
    await root.parseAsync(argv);
    return interruptedWith() ?? DONE;
  } catch (error) {
    return interruptedWith() ?? (await printError(error, root, argv));
  }
}

/** The tree of all commands, or of the group that `argv` calls. */
export async function program(argv: readonly string[] = []): Promise<Command> {
  const { version } = packageFile.parse(JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8')));
  const command = new Command('sallyport')
    .description('The command line of the Sallyport auth gateway.')
    .version(version)
    .addOption(
      new Option(
        '--env-file <file>',
        'variables for any command, below those of the environment (default: .env)',
      ).argParser((file: string, before: readonly string[] | undefined) => [...(before ?? []), file]),
    )
    .showHelpAfterError(HELP_HINT)
    .exitOverride()
    .hook('preAction', async (_program, action) => {
      if (action.name() !== 'completion' && action.name() !== 'help') await readVariables(command.opts());
    });
  for (const register of await Promise.all(called(argv).map((load) => load()))) register(command);
  registerHelp(command);
  return withExamples(command, [
    ['sallyport rules check', 'find every fault of the access rules'],
    ['sallyport rules explain GET /documents/7', 'see which rule decides, and why'],
    ['sallyport keys generate', 'make a key for X-Gateway-Assertion'],
    ['sallyport doctor', 'find what is wrong, with the cause and the next command'],
    ['sallyport db status --env-file production.env', 'with the variables of a file'],
    ['sallyport help rules check', 'the help of one command'],
  ]).addHelpText('after', '\nExit codes: 0 done, 1 refused or failed, 2 usage, 130 interrupted.');
}

function called(argv: readonly string[]): readonly (() => Promise<Register>)[] {
  const words = argv.slice(2);
  const first = words.find((word, at) => !word.startsWith('-') && words[at - 1] !== '--env-file') ?? '';
  const group = Object.hasOwn(GROUPS, first) ? GROUPS[first] : undefined;
  // Completion and help list all groups.
  return group === undefined || first === 'completion' ? Object.values(GROUPS) : [group];
}

/** Adds the variables of the files, and warns of names that are never read. */
async function readVariables({ envFile }: { readonly envFile?: readonly string[] }): Promise<void> {
  try {
    takeVariables(withEnvFiles(environment, envFile).variables);
  } catch (error) {
    throw error instanceof UnreadableEnvFile ? new Failure(error.message, { cause: error }) : error;
  }
  const { slips } = await import('./variables.ts');
  for (const { variable, problem } of slips()) note(`${colors.yellow('warning:')} ${variable} ${problem}`);
}

/** Prints the error as text and, with --json, as JSON too; returns the exit code. */
async function printError(error: unknown, root: Command, argv: readonly string[]): Promise<number> {
  if (error instanceof CommanderError && error.exitCode === 0) return DONE;
  const usage = error instanceof UsageError || error instanceof CommanderError;
  const message = systemMessage(error) ?? messageOf(error);
  // A result that has begun must stay one document.
  if (message !== '' && argv.includes('--json') && !resultBegun())
    printJson({ ok: false, error: message.replace(/^error: /, '') });
  if (error instanceof CommanderError) {
    // Commander has printed the rest.
    for (const line of unknownCommand(error, root)) note(line);
    return USAGE;
  }
  if (message !== '') note(`${colors.red('error:')} ${message}`);
  if (usage) note(HELP_HINT);
  else if (isDefect(error) && error.stack !== undefined) {
    const { inSources } = await import('./stack.ts');
    note(colors.dim(inSources(error.stack)));
  }
  return usage ? USAGE : FAILED;
}

/** An error of the operating system is no defect: a stack would not help. */
function isDefect(error: unknown): error is Error {
  return error instanceof Error && !(error instanceof Failure) && systemFault(error) === undefined;
}

function systemMessage(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const fault = systemFault(error);
  const path = 'path' in error && typeof error.path === 'string' ? `${error.path}: ` : '';
  return fault === undefined ? undefined : `${path}${fault}`;
}

/** Suggests `sallyport rules check` for `sallyport check`. */
function unknownCommand({ code, message }: CommanderError, root: Command): string[] {
  const [, word] = /unknown command '([^']*)'/.exec(message) ?? [];
  if (code !== 'commander.unknownCommand' || word === undefined) return [];
  // Commander has named a group that is near; a command of exactly this name may be meant all the same.
  const isNear = (path: string): boolean => !message.includes('Did you mean') || path.endsWith(` ${word}`);
  return elsewhere(root, word)
    .filter(isNear)
    .map((path) => `(Did you mean ${path}?)`);
}

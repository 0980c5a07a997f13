import cluster from 'node:cluster';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { withEnvFiles } from '../shared/configuration/env-file.ts';
import { UnusableConfiguration, type RawEnvironment } from '../shared/configuration/slice.ts';
import { parseEnvironment, type Config } from './configuration.ts';
import { stopOnSignal } from './node/drain.ts';
import { watchTerminals, type TerminalGone } from './node/terminal.ts';
import { messageOf } from '../shared/errors.ts';

/**
 * Entry of the program: SIGTERM and SIGINT end it with 0 once requests in flight have ended, an unusable configuration with 1,
 * unknown arguments with 2. SIGHUP ends one process like SIGTERM, and renews several.
 */
async function main(args: readonly string[]): Promise<void> {
  const terminalGone = watchTerminals();
  if (cluster.isWorker) {
    const { serveForPrimary } = await import('./node/worker.ts');
    serveForPrimary();
    return;
  }
  try {
    const named = envFilesOf(args);
    const { variables, files } = withEnvFiles(process.env, named);
    const read = (): RawEnvironment => withEnvFiles(process.env, named).variables;
    const parsed = parseEnvironment(variables, 'node');
    // One process suffices to refuse an unusable configuration.
    const serving =
      parsed.ok && parsed.config.workers !== 1
        ? serveBySeveral(read, parsed.config, terminalGone)
        : serveAlone(variables);
    await serving.catch((error: unknown) => {
      if (!(error instanceof UnusableConfiguration)) throw error;
      throw new Error(`${error.message}\n${originOf(files)}`);
    });
  } catch (error) {
    report(error);
    process.exitCode = error instanceof UnknownArguments ? 2 : 1;
  }
}

function report(error: unknown): void {
  process.stderr.write(`${messageOf(error)}\n`);
}

async function serveAlone(variables: RawEnvironment): Promise<void> {
  const { startServer } = await import('./node/process.ts');
  const server = await startServer(variables);
  stopOnSignal(() => server.close());
}

async function serveBySeveral(
  read: () => RawEnvironment,
  { logLevel }: Config,
  terminalGone: TerminalGone,
): Promise<void> {
  const { startWorkers } = await import('./node/primary.ts');
  const workers = await startWorkers({
    read,
    logLevel,
    giveUp(error) {
      report(error);
      process.exit(1);
    },
  });
  const kill = (): void => {
    workers.kill();
  };
  stopOnSignal(() => workers.stop(), ['SIGTERM', 'SIGINT'], kill);
  process.on('SIGHUP', () => {
    // Also sent by a closing terminal.
    if (terminalGone()) process.kill(process.pid, 'SIGTERM');
    else void workers.reload();
  });
}

class UnknownArguments extends Error {
  override readonly name = 'UnknownArguments';
}

function envFilesOf(args: readonly string[]): readonly string[] {
  try {
    const options = { 'env-file': { type: 'string', multiple: true } } as const;
    return parseArgs({ args: [...args], options }).values['env-file'] ?? [];
  } catch (error) {
    const why = error instanceof Error ? (error.message.split('. ')[0] ?? '') : 'unknown arguments';
    throw new UnknownArguments(
      `${why}\nThe one option is --env-file <file>; all else is variables, as in PORT=4000 npm start`,
    );
  }
}

function originOf(files: readonly string[]): string {
  const from = files.length === 0 ? 'alone: there is no .env here' : `and ${files.join(', ')}`;
  return `Variables come from the environment ${from}. Where to write them: docs/configuration.md`;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  await main(process.argv.slice(2));

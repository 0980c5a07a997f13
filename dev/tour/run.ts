import { endingBySignal, type Ending } from '../ending.ts';
import { LOOPBACK, PortBusy, reservePort } from '../listen.ts';
import { PARTS, startStack, type StackVariables } from '../stack.ts';
import { writeVariables } from '../variables-file.ts';
import { readOptions, usage, UsageError, type RunOptions } from './options.ts';
import { startProgress } from './progress.ts';
import { selfCheck } from './self-check.ts';
import { colorsFor, picture, sceneOf, tour, type Scene } from './text.ts';

export interface RunningGateway {
  readonly url: string;
  /** Settles when the gateway ends by itself. */
  readonly ended?: Promise<void>;
  close(): Promise<void>;
}

export interface Runner {
  /** As a person types it. */
  readonly command: string;
  readonly runtime: string;
  start(variables: StackVariables): Promise<RunningGateway>;
}

const colors = colorsFor(process.stdout, process.env['NO_COLOR']);

/** Runs the demo from its arguments to its end; resolves to the exit code. */
export async function run(runner: Runner, args: readonly string[]): Promise<number> {
  try {
    const options = readOptions(args);
    if (options === undefined) {
      console.log(usage(runner.command));
      return 0;
    }
    return await withGateway(runner, options);
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message}\n\n${usage(runner.command)}`);
      return 2;
    }
    if (!(error instanceof PortBusy)) throw error;
    console.error(error.message.replace('npm run demo', runner.command));
    return 1;
  }
}

async function withGateway(runner: Runner, options: RunOptions): Promise<number> {
  const started = performance.now();
  const port = await reservePort(options.port);
  const ending = endingBySignal();
  const progress = startProgress(process.stderr, PARTS + 1, process.env['TERM']);
  void ending.asked.then(() => {
    progress.stopping();
  });
  const stack = await startStack({
    gatewayUrl: `http://${LOOPBACK}:${port}`,
    provider: options.provider,
    onUp: (part) => {
      progress.up(part);
    },
  }).catch((error: unknown) => {
    progress.end();
    throw error;
  });
  try {
    const variables = { LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'error', ...stack.variables };
    const file = await writeVariables(`demo-${port}`, variables);
    try {
      const starting = runner.start({ ...variables, HOST: LOOPBACK, PORT: String(port) });
      const gateway = await starting.finally(() => {
        progress.end();
      });
      const scene = sceneOf(runner.runtime, gateway.url, stack, file.path);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      const visit = (): Promise<number> => {
        console.log(`\n${colors.bold('Sallyport')} is up after ${seconds} s.\n`);
        return options.once ? selfCheck(scene, stack, colors, ending) : show(gateway, scene, ending);
      };
      const visited = ending.code() ?? visit();
      return await Promise.resolve(visited).finally(() => gateway.close());
    } finally {
      await file.remove();
    }
  } finally {
    await stack.close();
  }
}

async function show(gateway: RunningGateway, scene: Scene, ending: Ending): Promise<number> {
  console.log(`${picture(scene, colors)}\n\n${tour(scene, colors)}\n`);
  const code = await Promise.race([ending.asked.then(() => 0), gateway.ended?.then(() => 1) ?? NEVER]);
  console.log(code === 0 ? '\nStopping.' : '\nThe gateway has ended by itself.');
  return code;
}

const NEVER = new Promise<never>(() => undefined);

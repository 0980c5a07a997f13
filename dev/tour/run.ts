import { LOOPBACK, PortBusy, reservePort } from '../listen.ts';
import { startStack, type StackVariables } from '../stack.ts';
import { writeVariables } from '../variables-file.ts';
import { readOptions, usage, UsageError, type RunOptions } from './options.ts';
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
  const stack = await startStack({ gatewayUrl: `http://${LOOPBACK}:${port}` });
  try {
    const variables = { LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'error', ...stack.variables };
    const file = await writeVariables(`demo-${port}`, variables);
    try {
      const gateway = await runner.start({ ...variables, HOST: LOOPBACK, PORT: String(port) });
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(`\n${colors.bold('Sallyport')} is up after ${seconds} s.\n`);
      const scene = sceneOf(runner.runtime, gateway.url, stack.variables, file.path);
      const toured = options.once ? selfCheck(scene, stack, colors) : show(gateway, scene);
      return await toured.finally(() => gateway.close());
    } finally {
      await file.remove();
    }
  } finally {
    await stack.close();
  }
}

async function show(gateway: RunningGateway, scene: Scene): Promise<number> {
  console.log(`${picture(scene, colors)}\n\n${tour(scene, colors)}\n`);
  const endings = [
    interrupted().then(() => 0),
    ...(gateway.ended === undefined ? [] : [gateway.ended.then(() => 1)]),
  ];
  const code = await Promise.race(endings);
  console.log(code === 0 ? '\nStopping.' : '\nThe gateway has ended by itself.');
  return code;
}

/** A second signal meets the default action: it ends the process at once. */
function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        resolve();
      });
    }
  });
}

import { LOOPBACK, PortBusy, reservePort } from '../listen.ts';
import { startStack, type Stack, type StackVariables } from '../stack.ts';
import { checkStep } from './check.ts';
import { readOptions, usage, UsageError, type RunOptions } from './options.ts';
import { STEPS } from './steps.ts';
import { colorsFor, picture, tour } from './text.ts';

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
    const gateway = await runner.start({
      LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'error',
      ...stack.variables,
      HOST: LOOPBACK,
      PORT: String(port),
    });
    try {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(`\n${colors.bold('Sallyport')} is up after ${seconds} s.\n`);
      return options.once ? await selfCheck(gateway.url, stack) : await show(runner, gateway, stack);
    } finally {
      await gateway.close();
    }
  } finally {
    await stack.close();
  }
}

async function show(runner: Runner, gateway: RunningGateway, stack: Stack): Promise<number> {
  const places = { gatewayUrl: gateway.url, runtime: runner.runtime, variables: stack.variables };
  console.log(`${picture(places, colors)}\n\n${tour(places, colors)}\n`);
  const endings = [
    interrupted().then(() => 0),
    ...(gateway.ended === undefined ? [] : [gateway.ended.then(() => 1)]),
  ];
  const code = await Promise.race(endings);
  console.log(code === 0 ? '\nStopping.' : '\nThe gateway has ended by itself.');
  return code;
}

async function selfCheck(gatewayUrl: string, stack: Stack): Promise<number> {
  let failed = 0;
  for (const step of STEPS) {
    const difference = await checkStep(step, { gatewayUrl, mintToken: (user) => stack.oidc.mintToken(user) });
    if (difference !== undefined) failed += 1;
    const mark = difference === undefined ? colors.green('✓') : colors.red('✗');
    console.log(`${mark} ${step.title}${difference === undefined ? '' : `: ${difference}`}`);
  }
  console.log(
    failed === 0 ? `\nAll ${STEPS.length} steps hold.` : `\n${failed} of ${STEPS.length} steps failed.`,
  );
  return failed === 0 ? 0 : 1;
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

import { join } from 'node:path';
import { built, quickProgram } from './built.ts';
import { httpClient } from './http-client.ts';
import { startProgram, type Program } from './program.ts';
import type { GatewayVariables, RunningGateway, Runtime } from './runtime.ts';

export interface NodeProgramOptions {
  readonly cwd?: string;
  readonly args?: readonly string[];
  /** The files that `npm start` runs, in place of a form that starts in half the time. */
  readonly asShipped?: boolean;
}

/** The Node entry as a program of its own. It takes any free loopback port unless told. */
export async function nodeProgram(
  variables: GatewayVariables,
  { cwd, args = ['--env-file=/dev/null'], asShipped = false }: NodeProgramOptions = {},
): Promise<Program> {
  const entry = asShipped
    ? ['--enable-source-maps', '--', join(await built('node'), 'node.js')]
    : await quickProgram('node');
  return startProgram(process.execPath, [...entry, ...args], {
    env: { HOST: '127.0.0.1', PORT: '0', ...variables },
    ...(cwd !== undefined && { cwd }),
  });
}

/** Its line in the log, whatever the order of the fields. */
export const LISTENING = /^(?=.*"msg":"listening").*"url":"(http:[^"]+)"/m;

export const node: Runtime = {
  name: 'node',
  async start(variables): Promise<RunningGateway> {
    const program = await nodeProgram(variables);
    const [, url = ''] = await program.printed(LISTENING);
    const client = httpClient(url);
    return {
      url,
      fetch: client.fetch,
      output: program.output,
      async close() {
        client.close();
        program.kill('SIGTERM');
        const ended = await program.ended;
        if (ended !== 0) throw new Error(`the gateway ended with ${ended}:\n${program.output()}`);
      },
    };
  },
};

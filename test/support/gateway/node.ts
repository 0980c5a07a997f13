import { join } from 'node:path';
import { built } from './built.ts';
import { httpClient } from './http-client.ts';
import { startProgram, type Program } from './program.ts';
import type { GatewayVariables, RunningGateway, Runtime } from './runtime.ts';

/** The production bundle as a program of its own. It takes any free loopback port unless told. */
export async function nodeProgram(
  variables: GatewayVariables,
  cwd?: string,
  args: readonly string[] = ['--env-file=/dev/null'],
): Promise<Program> {
  const entry = join(await built('node'), 'node.js');
  return startProgram(process.execPath, ['--enable-source-maps', '--', entry, ...args], {
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

import { createApp } from '../../../functions/app.ts';
import { createPlatform } from '../../../shared/adapters/node/platform.ts';
import { createDeps } from '../../../shared/deps.ts';
import { parseEnvironment } from '../../../functions/configuration.ts';
import type { Clock } from '../../../shared/ports/runtime.ts';
import type { Log } from '../../../shared/ports/log.ts';
import type { RunningGateway, GatewayVariables, Runtime, Sent } from './runtime.ts';

const ORIGIN = 'http://gateway.test';
const PEER = '127.0.0.1';

export interface InProcessOptions {
  readonly clock?: Clock;
}

/** The app without a socket of its own, where a test may own the clock. */
export async function startInProcess(
  variables: GatewayVariables,
  { clock }: InProcessOptions = {},
): Promise<RunningGateway> {
  const parsed = parseEnvironment(variables, 'node');
  if (!parsed.ok) throw new Error(parsed.faults.map((f) => `${f.variable} ${f.problem}`).join('\n'));
  const lines: string[] = [];
  const write: Log['info'] = (message, fields) => void lines.push(JSON.stringify({ message, ...fields }));
  const log = { debug: write, info: write, warn: write, error: write, flush: () => undefined };
  const platform = {
    ...createPlatform(),
    log: () => ({
      ...log,
      lines: { begin: () => '{"level":"info"', write: (line: string) => void lines.push(line) },
    }),
  };
  const app = createApp(createDeps(parsed.config, { platform, ...(clock && { clock }) }), () => PEER);
  return {
    url: ORIGIN,
    fetch: async (target, sent) => app.fetch(toRequest(target, sent), {}),
    output: () => lines.join('\n'),
    async close() {
      await app.close();
    },
  };
}

export const inProcess: Runtime = { name: 'in process', start: startInProcess };

function toRequest(target: string, { method = 'GET', headers = {}, body }: Sent = {}): Request {
  const list = new Headers();
  for (const [name, values] of Object.entries(headers))
    for (const value of [values].flat()) list.append(name, value);
  if (typeof body === 'string') list.append('content-length', String(Buffer.byteLength(body)));
  return new Request(ORIGIN + target, { method, headers: list, ...(body !== undefined && { body }) });
}

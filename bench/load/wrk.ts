import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL('tokens.lua', import.meta.url));
/** Enough to keep two cores busy, few enough that latency is the server's and not the queue's. */
const CONNECTIONS = 64;
/** wrk counts a slower answer as an error; on a busy machine it is only a slow one. */
const TIMEOUT_SECONDS = 20;
/** After the end of the load: more, and wrk hangs. */
const GRACE_SECONDS = 30;
const MICROSECONDS = { us: 1, ms: 1_000, s: 1_000_000, m: 60_000_000 } as const;

export interface Throughput {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface LoadOptions {
  readonly url: string;
  readonly seconds: number;
  readonly tokensFile: string;
}

/** As many requests as the server takes. Throws when an answer was not 2xx: a refusal is cheap, and measures nothing. */
export async function wrk({ url, seconds, tokensFile }: LoadOptions): Promise<Throughput> {
  const args = [
    '-t1',
    `-c${CONNECTIONS}`,
    `-d${seconds}s`,
    `--timeout=${TIMEOUT_SECONDS}s`,
    '--latency',
    '-s',
    SCRIPT,
    url,
    '--',
    tokensFile,
  ];
  const { stdout } = await run('wrk', args, { timeout: (seconds + GRACE_SECONDS) * 1_000 });
  const bad = /Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1] ?? /Socket errors: (.*)/.exec(stdout)?.[1];
  if (bad !== undefined) throw new Error(`${url}: failed requests: ${bad}`);
  return {
    requestsPerSecond: Number(pick(stdout, /Requests\/sec:\s+([\d.]+)/)),
    p50Ms: milliseconds(pick(stdout, /^\s+50%\s+(\S+)/m)),
    p99Ms: milliseconds(pick(stdout, /^\s+99%\s+(\S+)/m)),
  };
}

function pick(text: string, pattern: RegExp): string {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`wrk printed no ${pattern.source}`);
  return found;
}

function milliseconds(text: string): number {
  const [, value, unit] = /^([\d.]+)(us|ms|s|m)$/.exec(text) ?? [];
  if (unit !== 'us' && unit !== 'ms' && unit !== 's' && unit !== 'm') throw new Error(`not a time: ${text}`);
  return (Number(value) * MICROSECONDS[unit]) / 1_000;
}

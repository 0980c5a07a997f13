import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as z from 'zod';

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL('requests.lua', import.meta.url));
/** Enough to keep two cores busy, few enough that latency is the server's and not the queue's. */
const CONNECTIONS = 64;
/** wrk counts a slower answer as an error; on a busy machine it is only a slow one. */
const TIMEOUT_SECONDS = 20;
/** How long answers are waited for that are due at the end of a constant load. */
const DRAIN_SECONDS = 2;
/** After the end of the load: more, and the generator hangs. */
const GRACE_SECONDS = 30;
const MICROSECONDS = { us: 1, ms: 1_000, s: 1_000_000, m: 60_000_000 } as const;

export interface Load {
  readonly port: number;
  readonly seconds: number;
  /** One `PATH TOKEN` a line. */
  readonly requestsFile: string;
}

export interface Throughput {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** As many requests as the server takes. Throws when an answer was not 2xx: a refusal is cheap, and measures nothing. */
export async function fullLoad({ port, seconds, requestsFile }: Load): Promise<Throughput> {
  const url = `http://127.0.0.1:${port}`;
  const settings = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, `--timeout=${TIMEOUT_SECONDS}s`, '--latency'];
  const { stdout } = await run('wrk', [...settings, '-s', SCRIPT, url, '--', requestsFile], {
    timeout: (seconds + GRACE_SECONDS) * 1_000,
  });
  const bad = /Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1] ?? /Socket errors: (.*)/.exec(stdout)?.[1];
  if (bad !== undefined) throw new Error(`${url}: failed requests: ${bad}`);
  return {
    requests: Number(pick(stdout, /(\d+) requests in/)),
    requestsPerSecond: Number(pick(stdout, /Requests\/sec:\s+([\d.]+)/)),
    p50Ms: milliseconds(pick(stdout, /^\s+50%\s+(\S+)/m)),
    p99Ms: milliseconds(pick(stdout, /^\s+99%\s+(\S+)/m)),
  };
}

const Latency = z.object({
  requests: z.number(),
  failed: z.number(),
  unanswered: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
  maxMs: z.number(),
  sentLateP99Ms: z.number(),
});

export type Latency = z.output<typeof Latency>;

export interface PacedLoad extends Load {
  /** Requests per second. */
  readonly rate: number;
  /** Seconds at the same rate that are left out of the figures. */
  readonly warmUp: number;
  /** Seconds that the last answers have; what has not come by then counts with its age. */
  readonly drain?: number;
  /** Of load/paced.c, compiled. */
  readonly program: string;
}

/** Latency under a constant rate, each counted from when its request was due. Throws when an answer was refused. */
export async function pacedLoad(load: PacedLoad): Promise<Latency> {
  const { port, rate, warmUp, seconds, drain = DRAIN_SECONDS, requestsFile, program } = load;
  const args = [port, rate, warmUp, seconds, drain].map((value) => String(Math.round(value)));
  const { stdout } = await run(program, [...args, requestsFile], {
    timeout: (warmUp + seconds + drain + GRACE_SECONDS) * 1_000,
  });
  const latency = Latency.parse(JSON.parse(stdout));
  if (latency.failed > 0)
    throw new Error(`port ${port}: ${latency.failed} requests failed at a constant rate`);
  return latency;
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

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import * as z from 'zod';
import { TARGET_PATH } from '../variables.ts';

/** Beyond the measured time: opening connections, warming up, waiting for the last answers. */
const GRACE_SECONDS = 30;

const Latency = z.object({ requests: z.number(), failed: z.number(), p50Ms: z.number(), p99Ms: z.number() });

export type Latency = z.output<typeof Latency>;

export interface RateOptions {
  readonly port: number;
  /** Requests per second. */
  readonly rate: number;
  readonly seconds: number;
  readonly tokensFile: string;
  /** The load generator, a program of its own, so that its clock is not held up by anything else. */
  readonly program: string;
}

/** Latency under a constant rate. Throws when an answer was refused or did not come. */
export async function atRate({ port, rate, seconds, tokensFile, program }: RateOptions): Promise<Latency> {
  const args = [port, TARGET_PATH, Math.round(rate), seconds, tokensFile].map(String);
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...args], {
    timeout: (seconds + GRACE_SECONDS) * 1_000,
  });
  const latency = Latency.parse(JSON.parse(stdout));
  if (latency.failed > 0)
    throw new Error(`port ${port}: ${latency.failed} requests failed at a constant rate`);
  return latency;
}

import { processorMicroseconds } from './children.ts';
import { wrk, type Throughput } from './load/wrk.ts';
import type { Table } from './result.ts';
import { median } from './statistics.ts';
import { TARGET_PATH } from './variables.ts';

export interface Contender {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
}

export interface Turn extends Throughput {
  /** Processor time of the server per request, all its threads: steadier than throughput on a busy machine. */
  readonly processorUs: number;
}

/** Every turn of every contender, in the order of the rounds. */
export type Turns = ReadonlyMap<string, readonly Turn[]>;

export interface ContestOptions {
  readonly seconds: number;
  readonly rounds: number;
  readonly tokensFile: string;
}

const WARM_UP_SECONDS = 3;
/** Before each turn: what ran out while others had theirs is fetched again, which is no part of steady load. */
const RUN_UP_SECONDS = 1;

/** Full load on one contender after the other, round by round, so that a slow spell of the machine meets all of them. */
export async function contest(contenders: readonly Contender[], options: ContestOptions): Promise<Turns> {
  const { rounds, seconds, tokensFile } = options;
  const turns = new Map<string, Turn[]>(contenders.map(({ name }) => [name, []]));
  for (const { port } of contenders) await wrk({ url: urlOf(port), seconds: WARM_UP_SECONDS, tokensFile });
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, port, pid } of contenders) {
      await wrk({ url: urlOf(port), seconds: RUN_UP_SECONDS, tokensFile });
      const before = processorMicroseconds(pid);
      const taken = await wrk({ url: urlOf(port), seconds, tokensFile });
      const used = processorMicroseconds(pid) - before;
      turns.get(name)?.push({ ...taken, processorUs: used / (taken.requestsPerSecond * seconds) });
    }
  }
  return turns;
}

/** Median over the rounds of one contender's throughput in units of the other's, in the same round. */
export function throughputRatio(turns: Turns, name: string, unit: string): number {
  const units = turns.get(unit) ?? [];
  const ratios = (turns.get(name) ?? []).map(
    ({ requestsPerSecond }, round) => requestsPerSecond / (units[round]?.requestsPerSecond ?? Number.NaN),
  );
  return median(ratios);
}

export function peak(turns: Turns, name: string): number {
  return median((turns.get(name) ?? []).map((turn) => turn.requestsPerSecond));
}

export function contestTable(title: string, turns: Turns, unit: string): Table {
  const rows = [...turns].map(([name, all]) => [
    name,
    peak(turns, name).toFixed(0),
    throughputRatio(turns, name, unit).toFixed(2),
    median(all.map((turn) => turn.p50Ms)).toFixed(2),
    median(all.map((turn) => turn.p99Ms)).toFixed(2),
    median(all.map((turn) => turn.processorUs)).toFixed(0),
  ]);
  return {
    title,
    columns: ['server', 'requests/s', `of ${unit}`, 'p50 ms', 'p99 ms', 'CPU µs/request'],
    rows,
  };
}

function urlOf(port: number): string {
  return `http://127.0.0.1:${port}${TARGET_PATH}`;
}

/**
 * Open-loop load of a constant rate: `paced PORT PATH RATE SECONDS TOKENS_FILE` prints one line of JSON.
 * Every millisecond a batch is due, whether or not earlier answers have come, and latency counts from when a request
 * was due: a server that stalls cannot hide it by slowing its clients down.
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';

const CONNECTIONS = 256;
/** Left out of the figures: connections open, code gets compiled, caches fill. */
const WARM_UP_MS = 2_000;
const DRAIN_MS = 2_000;

interface Lane {
  readonly socket: Socket;
  dueMs: number;
  received: string;
}

class PacedLoad {
  readonly latenciesMs: number[] = [];
  failed = 0;
  private readonly idle: Lane[] = [];
  private readonly waiting: number[] = [];
  private readonly requests: readonly string[];
  private readonly countFromMs: number;
  private sent = 0;

  constructor(requests: readonly string[], countFromMs: number) {
    this.requests = requests;
    this.countFromMs = countFromMs;
  }

  async open(port: number): Promise<void> {
    await Promise.all(Array.from({ length: CONNECTIONS }, () => this.openOne(port)));
  }

  due(dueMs: number): void {
    const lane = this.idle.pop();
    if (lane === undefined) this.waiting.push(dueMs);
    else this.send(lane, dueMs);
  }

  /** What was never sent counts with its age: a server that cannot keep up must not look fast for it. */
  close(): void {
    for (const dueMs of this.waiting) this.latenciesMs.push(performance.now() - dueMs);
    for (const lane of this.idle) lane.socket.destroy();
  }

  private openOne(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      const lane: Lane = { socket, dueMs: 0, received: '' };
      socket.setEncoding('latin1');
      socket.once('error', reject);
      socket.once('connect', () => {
        this.idle.push(lane);
        resolve();
      });
      socket.on('data', (chunk: string) => {
        this.receive(lane, chunk);
      });
    });
  }

  private send(lane: Lane, dueMs: number): void {
    lane.dueMs = dueMs;
    lane.socket.write(this.requests[this.sent++ % this.requests.length] ?? '', 'latin1');
  }

  private receive(lane: Lane, chunk: string): void {
    lane.received = lane.received === '' ? chunk : lane.received + chunk;
    if (!complete(lane.received)) return;
    if (!lane.received.startsWith('HTTP/1.1 200')) this.failed += 1;
    else if (lane.dueMs >= this.countFromMs) this.latenciesMs.push(performance.now() - lane.dueMs);
    lane.received = '';
    const next = this.waiting.shift();
    if (next === undefined) this.idle.push(lane);
    else this.send(lane, next);
  }
}

function complete(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const length = /content-length: (\d+)/i.exec(text)?.[1];
  return length === undefined ? text.endsWith('\r\n0\r\n\r\n') : text.length >= end + 4 + Number(length);
}

/** Resolves when the last batch was due. */
function pace(load: PacedLoad, rate: number, startMs: number, durationMs: number): Promise<void> {
  let made = 0;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const elapsed = Math.min(performance.now() - startMs, durationMs);
      for (; made < Math.floor(elapsed) * (rate / 1_000); made += 1)
        load.due(startMs + Math.ceil((made * 1_000) / rate));
      if (elapsed < durationMs) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

const [port = '', target = '', rate = '', seconds = '', tokensFile = ''] = process.argv.slice(2);
const tokens = readFileSync(tokensFile, 'utf8').trim().split('\n');
const requests = tokens.map(
  (token) => `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\n\r\n`,
);
const startMs = performance.now() + 200;
const load = new PacedLoad(requests, startMs + WARM_UP_MS);
await load.open(Number(port));
await pace(load, Number(rate), startMs, WARM_UP_MS + Number(seconds) * 1_000);
await new Promise((resolve) => setTimeout(resolve, DRAIN_MS));
load.close();
const sorted = load.latenciesMs.sort((a, b) => a - b);
const result = {
  requests: sorted.length,
  failed: load.failed,
  p50Ms: quantile(sorted, 0.5),
  p99Ms: quantile(sorted, 0.99),
};
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));

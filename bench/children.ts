import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Readable } from 'node:stream';

const START_MS = 20_000;
// Longer than a server under load needs to finish what it has begun.
const STOP_MS = 10_000;
const POLL_MS = 5;
const TAIL_CHARACTERS = 2_000;
const MICROSECONDS_PER_TICK = 10_000;
const KIBIBYTES_PER_MEBIBYTE = 1_024;

export interface Child {
  readonly pid: number;
  /** Milliseconds from spawn until its port accepted a connection. */
  readonly startedMs: number;
  /** The answer of a program that was started with a channel. */
  ask(question: string): Promise<unknown>;
  stop(): Promise<void>;
}

export interface ChildOptions {
  readonly port: number;
  readonly env?: Readonly<Record<string, string>>;
  /** For `ask`; Node programs only. */
  readonly channel?: boolean;
}

const running = new Set<ChildProcess>();

// A bench that is cut short leaves no server behind; each child is ended by its own id.
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts a server and resolves once it listens on `port` of loopback; rejects when it ends before or takes too long. */
export async function startChild(
  command: string,
  args: readonly string[],
  options: ChildOptions,
): Promise<Child> {
  const began = performance.now();
  const child = spawn(command, args, {
    // What a server logs costs it a write to /dev/null, and the terminal nothing.
    stdio: ['ignore', 'ignore', 'pipe', options.channel === true ? 'ipc' : 'ignore'],
    env: { ...process.env, ...options.env },
  });
  running.add(child);
  const ended = once(child, 'exit').then(() => running.delete(child));
  const lastWords = child.stderr === null ? () => '' : tailOf(child.stderr);
  try {
    await listening(child, options.port);
  } catch (error) {
    throw new Error(`${command} did not start: ${lastWords()}`, { cause: error });
  }
  return {
    pid: child.pid ?? 0,
    startedMs: performance.now() - began,
    async ask(question) {
      const answer = once(child, 'message');
      child.send(question);
      return ((await answer) as readonly unknown[])[0];
    },
    async stop() {
      if (!running.has(child)) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** True when the command can be run at all. */
export function installed(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v "$0"`, command]).status === 0;
}

/** Resident memory in MiB, as Linux counts it. */
export function residentMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / KIBIBYTES_PER_MEBIBYTE;
}

/** Processor time that a server has used so far, all its threads and processes together, in microseconds. */
export function processorMicroseconds(pid: number): number {
  return processTree(pid).reduce((sum, { ticks }) => sum + ticks * MICROSECONDS_PER_TICK, 0);
}

/** How many processes a server is: itself and what it started. */
export function processCount(pid: number): number {
  return processTree(pid).length;
}

interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  readonly ticks: number;
}

function processTree(pid: number): ProcessStat[] {
  const all = readdirSync('/proc').flatMap((entry) => statOf(Number(entry)));
  const tree = all.filter((it) => it.pid === pid);
  // Grows while it is walked: children of children are reached too.
  for (const { pid: parent } of tree) tree.push(...all.filter((it) => it.parent === parent));
  return tree;
}

/** Empty for what is no process, or no longer one. */
function statOf(pid: number): ProcessStat[] {
  if (!(pid > 0)) return [];
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // proc(5): fields 4, 14 and 15 are ppid, utime and stime; the command's name, field 2, may contain spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return [{ pid, parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) }];
  } catch {
    return [];
  }
}

/** The end of what a server complained about; all of it would hide the bench's own words. */
function tailOf(stream: Readable): () => string {
  let tail = '';
  stream.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-TAIL_CHARACTERS);
  });
  return () => tail;
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  const deadline = performance.now() + START_MS;
  while (!(await accepts(port))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`nothing listens on port ${port}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}

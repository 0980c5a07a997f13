import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { systemCode, systemFault } from '../../shared/system-errors.ts';
import { Failure } from '../failure.ts';
import { childEnvironment } from './environment.ts';
import { lastLinesOf, type LastLines } from './last-lines.ts';

export interface ChildCall {
  /** Its path, or its name in PATH. Never a shell. */
  readonly program: string;
  /** Everybody on the machine can read them: never a secret. */
  readonly args: readonly string[];
  /** Over those of this process. Values whose names end in PASSWORD appear in no log and no error. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Milliseconds, for all of it. */
  readonly timeoutMs: number;
  /** Milliseconds without a byte of stdout, for one that writes as long as it works. */
  readonly stallMs?: number | undefined;
  /** Ends the child, and those that it started, when aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Its stdin; absent: an empty one. */
  readonly input?: Readable | string | undefined;
  /** Takes the lines of its stderr as they come. */
  readonly log?: ((line: string) => void) | undefined;
  /** Called in the turn of the start, so that a record of the child is there before anything else happens. */
  readonly onStart?: ((pid: number) => void) | undefined;
}

/** A child was not found, ran too long, or ended with another code than 0. The message holds its last lines. */
export class ChildFailed extends Failure {
  /** Null: not found, or ended by a signal. */
  readonly exitCode: number | null;
  /** The end of its stderr. */
  readonly lines: readonly string[];

  constructor(message: string, exitCode: number | null, lines: readonly string[], cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCode;
    this.lines = lines;
  }
}

const MOST_BYTES = 64 * 1024 * 1024;

/** Runs a child to its end; returns what it wrote to stdout. Throws ChildFailed. */
export function runChild(call: ChildCall): Promise<string> {
  return readChild(call, async (stdout) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of stdout as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MOST_BYTES) throw new Failure(`${nameOf(call)} writes more than ${MOST_BYTES} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  });
}

/** Runs a child to its end; returns what `read` makes of its stdout. Throws ChildFailed, or the error of `read` or of the input. */
export async function readChild<T>(call: ChildCall, read: (stdout: Readable) => Promise<T>): Promise<T> {
  call.signal?.throwIfAborted();
  const child = spawn(call.program, call.args, {
    // A group of its own, so that the workers of a parallel restore end with it.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: childEnvironment(call.variables),
  });
  if (child.pid !== undefined) call.onStart?.(child.pid);
  const lines = lastLinesOf(child.stderr, call.variables, call.log);
  const watch = watchOver(child, call);
  const closed = once(child, 'close');
  const [taken, fed, ended] = await Promise.allSettled([
    orStop(read(child.stdout), watch),
    orStop(feed(child, call.input), watch),
    closed,
  ]);
  watch.over();
  if (ended.status === 'rejected') throw notStarted(call, ended.reason);
  const reason = watch.reason();
  if (reason instanceof Error) throw reason;
  if (child.exitCode !== 0) throw failed(call, child, lines, reason);
  if (fed.status === 'rejected') throw fed.reason;
  if (taken.status === 'rejected') throw taken.reason;
  return taken.value;
}

function nameOf({ program }: Pick<ChildCall, 'program'>): string {
  return program.slice(program.lastIndexOf('/') + 1);
}

function notStarted(call: ChildCall, cause: unknown): ChildFailed {
  const name = nameOf(call);
  const why =
    systemCode(cause) === 'ENOENT'
      ? `${name} is needed, and is not installed here`
      : `${name} cannot be started: ${systemFault(cause) ?? 'unknown error'}`;
  return new ChildFailed(why, null, [], cause);
}

function failed(call: ChildCall, child: ChildProcess, lines: LastLines, reason?: string): ChildFailed {
  const how =
    reason ?? (child.signalCode === null ? `ended with ${child.exitCode}` : `ended by ${child.signalCode}`);
  const last = lines.lines();
  const told = last.length === 0 ? '' : `: ${last.join('\n  ')}`;
  return new ChildFailed(`${nameOf(call)} ${how}${told}`, child.exitCode, last);
}

/** A child that ends before its input does says why itself. */
async function feed(child: ChildProcess, input: Readable | string | undefined): Promise<void> {
  const { stdin } = child;
  if (stdin === null) return;
  stdin.on('error', () => undefined);
  if (input === undefined || typeof input === 'string') {
    stdin.end(input ?? '');
    return;
  }
  try {
    await pipeline(input, stdin);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'EPIPE' && code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
}

const GRACE_MS = 5_000;

interface Watch {
  /** Ends the child because of this error, unless it has ended. */
  stop(error: unknown): void;
  /** Why it was ended: an error, or words. Undefined: it ended by itself. */
  reason(): Error | string | undefined;
  over(): void;
}

const running = new Set<number>();
let isWatched = false;

/** What leaves by process.exit() leaves no child behind. */
function endAllAtExit(): void {
  if (isWatched) return;
  isWatched = true;
  process.on('exit', () => {
    for (const pid of running) endGroup(pid, 'SIGKILL');
  });
}

function watchOver(child: ChildProcess, { timeoutMs, stallMs, signal }: ChildCall): Watch {
  const { pid } = child;
  let reason: Error | string | undefined;
  let last: NodeJS.Timeout | undefined;
  endAllAtExit();
  if (pid !== undefined) running.add(pid);
  const end = (why: Error | string): void => {
    if (reason !== undefined || pid === undefined || child.exitCode !== null || child.signalCode !== null)
      return;
    reason = why;
    endGroup(pid, 'SIGTERM');
    last = setTimeout(() => {
      endGroup(pid, 'SIGKILL');
    }, GRACE_MS);
  };
  const timer = setTimeout(() => {
    end(`was ended: it took longer than ${Math.round(timeoutMs / 1_000)} s`);
  }, timeoutMs);
  const stopLooking = whenSilent(child.stdout, stallMs, () => {
    end(`was ended: it wrote nothing for ${Math.round((stallMs ?? 0) / 1_000)} s`);
  });
  const aborted = (): void => {
    end(new Failure('interrupted'));
  };
  signal?.addEventListener('abort', aborted);
  return {
    stop: (error) => {
      end(error instanceof Error ? error : new Error('unknown'));
    },
    reason: () => reason,
    over() {
      clearTimeout(timer);
      clearTimeout(last);
      stopLooking();
      signal?.removeEventListener('abort', aborted);
      if (pid !== undefined) running.delete(pid);
    },
  };
}

/** Calls back when a pipe has brought nothing for `ms`, or twice as long at most. Returns what ends the watch. */
function whenSilent(pipe: Readable | null, ms: number | undefined, silent: () => void): () => void {
  if (ms === undefined || !(pipe instanceof Socket)) return () => undefined;
  let before = -1;
  const timer = setInterval(() => {
    if (pipe.bytesRead === before) silent();
    before = pipe.bytesRead;
  }, ms);
  return () => {
    clearInterval(timer);
  };
}

async function orStop<T>(work: Promise<T>, watch: Watch): Promise<T> {
  try {
    return await work;
  } catch (error) {
    watch.stop(error);
    throw error;
  }
}

/** The group of a child may be gone already. */
function endGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Nothing is left of it.
  }
}

import { writeSync } from 'node:fs';
import type { ServerConfig } from '../../configuration/server.ts';
import type { RequestLines } from '../../ports/log.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { jsonLog, logLine, shortened } from '../log-json.ts';

/** A batch of this size is written at once; less waits for the timer. */
const BATCH_BYTES = 65_536;
const FLUSH_MS = 100;
/** Pause before a failed write is repeated: doubled, up to FLUSH_MS, while the reader takes nothing. */
const RETRY_MS = 1;
/** Buffer while stdout is not read: some thousand lines. */
const BUFFER_BYTES = 1_048_576;
/** How long the end of the process waits for a reader. */
const LAST_MS = 1_000;
const LAST_PAUSE_MS = 10;
// UTF-8 needs at most three bytes for one UTF-16 unit.
const BYTES_PER_UNIT = 3;
/** PIPE_BUF on Linux: a write of at most that is atomic, whatever else writes to the same pipe (write(2), pipe(7)). */
const ATOMIC_BYTES = 4_096;
const LINE_FEED = 10;

export interface Lines {
  write(line: string): void;
  /** Waits for a reader, a second at most; then what is left is lost. */
  readonly flush: () => void;
}

export interface LineOptions {
  /** Called for every dropped line. */
  readonly onDrop: () => void;
  /** Returns the line that reports dropped lines, once there is room again. */
  readonly lost: (lines: number) => string;
  /** Set where other processes write to the same stdout: shortens a line that is too long for an atomic write. */
  readonly shorten?: ((line: string) => string) | undefined;
  /** Writes what it can and returns the number of bytes; throws when nothing can be written now. */
  readonly put?: (buffer: Buffer, start: number, length: number) => number;
}

/** A log of JSON lines on stdout; `shared`: other processes write there too. */
export function stdoutLog(
  level: ServerConfig['logLevel'],
  metrics: Pick<Metrics, 'counter'>,
  shared: boolean,
): RequestLines & { flush(): void } {
  const lines = stdoutLines({
    onDrop: metrics.counter(
      'sallyport_log_dropped_total',
      'Log lines that found no room: nobody reads stdout.',
    ),
    lost: (count) => logLine('warn', 'log lines dropped', { lines: count }),
    shorten: shared ? shortened : undefined,
  });
  return {
    ...jsonLog(level, (line) => {
      lines.write(line);
    }),
    flush: () => {
      lines.flush();
    },
  };
}

/**
 * Lines to stdout, written in batches of 64 KiB or ten times a second: one system call serves many requests, where
 * console.log makes one each. Never blocks: while a pipe is full, a disk is full or a reader is gone, up to 1 MiB of lines is
 * buffered, and those that do not fit are dropped and counted. A full pipe is written to again after 1 ms, and less often only
 * while its reader takes nothing. Beside other processes on the same stdout, batches are of whole
 * lines and of 4 KiB at most, so that lines do not interleave.
 */
export function stdoutLines({ onDrop, lost, shorten, put = putToStdout() }: LineOptions): Lines {
  const buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  /** Bytes from `start` to `end` are pending. */
  let start = 0;
  let end = 0;
  let dropped = 0;
  /** The last write failed: the timer retries, not every line. */
  let stuck = false;
  let retryMs = RETRY_MS;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const append = (line: string): boolean => {
    const most = line.length * BYTES_PER_UNIT + 1;
    if (end + most > BUFFER_BYTES && start > 0) {
      buffer.copyWithin(0, start, end);
      end -= start;
      start = 0;
    }
    if (end + most > BUFFER_BYTES) return false;
    end += buffer.write(line, end);
    buffer[end++] = LINE_FEED;
    return true;
  };
  /** Bytes of the next atomic write. */
  const wholeLines = (): number =>
    end - start <= ATOMIC_BYTES
      ? end - start
      : buffer.lastIndexOf(LINE_FEED, start + ATOMIC_BYTES - 1) + 1 - start;
  const fitting = (line: string): string => (shorten === undefined || fits(line) ? line : shorten(line));
  /** Returns whether all went out. */
  const push = (): boolean => {
    stuck = false;
    try {
      while (start < end) start += put(buffer, start, shorten === undefined ? end - start : wholeLines());
      start = end = 0;
    } catch {
      stuck = true;
    }
    if (dropped > 0 && !stuck && append(lost(dropped))) dropped = 0;
    return !stuck;
  };
  const flush = (): void => {
    for (let waited = 0; waited <= LAST_MS; waited += LAST_PAUSE_MS) {
      push();
      if (start === end) return;
      if (stuck) pause(LAST_PAUSE_MS);
    }
  };
  const pushIn = (ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(pushAgain, ms).unref();
  };
  const pushAgain = (): void => {
    const pending = end - start;
    push();
    // A pipe holds 64 KiB: a quick reader has room again long before the next batch is due.
    retryMs = stuck && end - start === pending ? Math.min(2 * retryMs, FLUSH_MS) : RETRY_MS;
    pushIn(stuck ? retryMs : FLUSH_MS);
  };
  pushIn(FLUSH_MS);
  process.once('exit', flush);
  return {
    write(line) {
      if (dropped > 0 || !append(fitting(line))) {
        dropped += 1;
        onDrop();
      }
      if (end - start < BATCH_BYTES || stuck) return;
      if (!push()) pushIn(RETRY_MS);
    },
    flush,
  };
}

function fits(line: string): boolean {
  return line.length * BYTES_PER_UNIT < ATOMIC_BYTES || Buffer.byteLength(line) < ATOMIC_BYTES;
}

/** Blocks: only for the end of the process, where the event loop has stopped. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/**
 * Never blocks on a pipe: Node's own stream, made once and never written to, sets it to return EAGAIN when full.
 * An asynchronous write would park a thread of the pool there, and a process with such a thread cannot end.
 */
function putToStdout(): (buffer: Buffer, start: number, length: number) => number {
  const { fd } = process.stdout;
  return (buffer, start, length) => writeSync(fd, buffer, start, length);
}

import { writeSync } from 'node:fs';

const BUFFER_BYTES = 65_536;
const FLUSH_MS = 100;
const STDOUT = 1;
// UTF-8 needs at most three bytes for one UTF-16 unit.
const BYTES_PER_UNIT = 3;

export interface Lines {
  write(line: string): void;
  /** Everything written so far is out when this returns. */
  flush(): void;
}

/**
 * Lines to stdout, written in batches of 64 KiB or ten times a second: one system call serves many requests, where
 * console.log makes one each.
 */
export function stdoutLines(): Lines {
  const buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  let used = 0;
  const flush = (): void => {
    const end = used;
    used = 0;
    for (let start = 0; start < end;) start += put(buffer, start, end);
  };
  setInterval(flush, FLUSH_MS).unref();
  process.once('exit', flush);
  return {
    write(line) {
      const most = line.length * BYTES_PER_UNIT + 1;
      if (used + most > BUFFER_BYTES) flush();
      if (most > BUFFER_BYTES) {
        const whole = Buffer.from(`${line}\n`);
        for (let start = 0; start < whole.byteLength;) start += put(whole, start, whole.byteLength);
        return;
      }
      used += buffer.write(line, used);
      buffer[used++] = 10;
    },
    flush,
  };
}

/** Bytes written. A closed stdout swallows the rest: a gateway goes on without its log rather than end. */
function put(buffer: Buffer, start: number, end: number): number {
  try {
    return writeSync(STDOUT, buffer, start, end - start);
  } catch (error) {
    // A full pipe: its reader is slow. Trying again at once is the only way to lose nothing.
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return 0;
    return end - start;
  }
}

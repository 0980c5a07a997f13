import pc from 'picocolors';
import { isatty } from 'node:tty';
import { systemFault } from '../shared/system-errors.ts';

const { env, stdout, stderr } = process;

/** https://no-color.org: any value that is not empty switches colours off. */
export const colored = isatty(stdout.fd) && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';

export const colors = pc.createColors(colored);

/** The variables a command may refer to. */
export const environment: Readonly<Record<string, string | undefined>> = env;

// As the gateway reads them: what stands around a value is of the file that it came from.
for (const [name, value = ''] of Object.entries(env)) if (value !== value.trim()) env[name] = value.trim();

/** Adds variables to those a command may refer to, and to those of what it starts. */
export function takeVariables(more: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(more)) if (value !== undefined) env[name] = value.trim();
}

let begun = false;

/** True once a part of the result was printed. */
export function resultBegun(): boolean {
  return begun;
}

/** The result of a command, to stdout. */
export function print(text: string): void {
  write(`${text}\n`);
}

/** A part of the result. False: wait for `drain`. */
export function write(text: string): boolean {
  begun = true;
  return stdout.write(text);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Whatever is not the result, to stderr. */
export function note(text: string): void {
  stderr.write(`${text}\n`);
}

/** What a shell says of a program that SIGPIPE ended; Node ignores the signal. */
const NO_READER = 141;
const FAILED = 1;

/** Whoever reads the result may stop early (`| head -1`): then nobody waits for the rest. Notes that nobody reads stop nothing. */
export function endWithoutReader(): void {
  stdout.on('error', (error: Error) => {
    if (isBrokenPipe(error)) process.exit(NO_READER);
    note(`${colors.red('error:')} cannot write the result: ${systemFault(error) ?? error.message}`);
    process.exit(FAILED);
  });
  stderr.on('error', (error: Error) => {
    if (!isBrokenPipe(error)) throw error;
  });
}

function isBrokenPipe(error: Error): boolean {
  return 'code' in error && error.code === 'EPIPE';
}

const CLEAR_LINE = '\r\u001b[2K';
const WIDTH = 24;
const REDRAW_MS = 80;

export interface ProgressBar {
  /** `total` undefined: nobody knows how much there is. */
  update(done: number, total?: number): void;
  /** Leaves the line empty. */
  end(): void;
}

/** One line on stderr, on a terminal only; redrawn at most every 80 ms. */
export function progressBar(label: string, live = isatty(process.stderr.fd)): ProgressBar {
  let drawnAt = -Infinity;
  return {
    update(done, total) {
      const now = performance.now();
      if (!live || (now - drawnAt < REDRAW_MS && done !== total)) return;
      drawnAt = now;
      process.stderr.write(`${CLEAR_LINE}${draw(label, done, total)}`);
    },
    end() {
      if (live) process.stderr.write(CLEAR_LINE);
    },
  };
}

function draw(label: string, done: number, total: number | undefined): string {
  if (total === undefined) return `${label} ${done}`;
  const filled = total === 0 ? WIDTH : Math.floor((Math.min(done, total) / total) * WIDTH);
  return `${label} [${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${done}/${total}`;
}

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

let asked: AbortController | undefined;
let received: number | undefined;

/** For a command that must leave things whole: aborted by the first Ctrl-C. The second one ends the process. */
export function interruption(): AbortSignal {
  asked ??= new AbortController();
  return asked.signal;
}

/** The exit code that a signal asked for: 130 after Ctrl-C. */
export function interruptedWith(): number | undefined {
  return received;
}

/** A signal ends the process at once, unless a command asked to end by itself. */
export function handleInterrupts(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (asked === undefined || received !== undefined) process.exit(EXIT_CODES[signal]);
      received = EXIT_CODES[signal];
      asked.abort();
    });
  }
}

import pc from 'picocolors';
import { isatty } from 'node:tty';
import { systemFault } from '../shared/system-errors.ts';

const { env, stdout, stderr } = process;

/** https://no-color.org: any value that is not empty switches colours off. */
const colored = isatty(stdout.fd) && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';

export const colors = pc.createColors(colored);

/** The variables available to a command. */
export const environment: Readonly<Record<string, string | undefined>> = env;

// Trimmed as in the gateway: surrounding whitespace is an artefact of the file that a value came from.
for (const [name, value = ''] of Object.entries(env)) if (value !== value.trim()) env[name] = value.trim();

/** Adds variables for the command and its child processes. */
export function takeVariables(more: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(more)) if (value !== undefined) env[name] = value.trim();
}

let begun = false;

/** Whether a part of the result has been printed. */
export function resultBegun(): boolean {
  return begun;
}

/** Prints the result of a command to stdout. */
export function print(text: string): void {
  write(`${text}\n`);
}

/** Writes a part of the result. False: wait for `drain`. */
export function write(text: string): boolean {
  begun = true;
  return stdout.write(text);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** Prints everything but the result to stderr. */
export function note(text: string): void {
  stderr.write(`${text}\n`);
}

/** A shell's exit code for a process ended by SIGPIPE; Node ignores the signal. */
const NO_READER = 141;
const FAILED = 1;

/** Ends the process when the reader of stdout stops early (`| head -1`). A closed stderr stops nothing. */
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
  /** `total` undefined: unknown. */
  update(done: number, total?: number): void;
  /** Clears the line. */
  end(): void;
}

/** Without a terminal, for a log. */
const LINE_MS = 10_000;

/**
 * One line on stderr with rate and remaining time, redrawn at most every 80 ms; where stderr is no terminal and the work is
 * `long`, a line every ten seconds.
 */
export function progressBar(
  label: string,
  { live = isatty(process.stderr.fd), long = false, now = () => performance.now() }: ProgressOptions = {},
): ProgressBar {
  let drawnAt = live ? -Infinity : now();
  let first: { readonly at: number; readonly done: number } | undefined;
  return {
    update(done, total) {
      const at = now();
      first ??= { at, done };
      if (!live && !long) return;
      if (at - drawnAt < (live ? REDRAW_MS : LINE_MS) && (!live || done !== total)) return;
      drawnAt = at;
      const line = draw(label, done, total) + pace(done - first.done, at - first.at, total, done);
      process.stderr.write(live ? `${CLEAR_LINE}${line}` : `${line}\n`);
    },
    end() {
      if (live) process.stderr.write(CLEAR_LINE);
    },
  };
}

export interface ProgressOptions {
  readonly live?: boolean;
  readonly long?: boolean;
  /** Milliseconds. */
  readonly now?: () => number;
}

function draw(label: string, done: number, total: number | undefined): string {
  if (total === undefined) return `${label} ${done}`;
  const filled = total === 0 ? WIDTH : Math.floor((Math.min(done, total) / total) * WIDTH);
  return `${label} [${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${done}/${total}`;
}

const ENOUGH_MS = 500;

/** Empty until there is enough to measure. */
function pace(count: number, ms: number, total: number | undefined, done: number): string {
  if (count <= 0 || ms < ENOUGH_MS) return '';
  const rate = (count * 1_000) / ms;
  const shown = rate >= 10 ? Math.round(rate) : Number(rate.toFixed(1));
  if (total === undefined || done >= total) return ` ${shown}/s`;
  return ` ${shown}/s, ${span((total - done) / rate)} left`;
}

function span(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

let interrupted: AbortController | undefined;
let received: number | undefined;

/** For a command that must stop in a consistent state: aborted by the first Ctrl-C. The second one ends the process. */
export function interruption(): AbortSignal {
  interrupted ??= new AbortController();
  return interrupted.signal;
}

/** The exit code of a received signal: 130 after Ctrl-C. */
export function interruptedWith(): number | undefined {
  return received;
}

/** A signal ends the process at once, unless a command uses `interruption`. */
export function handleInterrupts(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (interrupted === undefined || received !== undefined) process.exit(EXIT_CODES[signal]);
      received = EXIT_CODES[signal];
      interrupted.abort();
    });
  }
}

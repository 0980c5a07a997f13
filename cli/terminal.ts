import { isatty } from 'node:tty';
import pc from 'picocolors';

const { env, stdout, stderr } = process;

/** https://no-color.org: any value that is not empty switches colours off. */
export const colored = isatty(stdout.fd) && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';

export const colors = pc.createColors(colored);

/** The variables a command may refer to. */
export const environment: Readonly<Record<string, string | undefined>> = env;

/** The result of a command, to stdout. */
export function print(text: string): void {
  stdout.write(`${text}\n`);
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

/** Whoever reads the result may stop early (`| head -1`): then nobody waits for the rest. Notes that nobody reads stop nothing. */
export function endWithoutReader(): void {
  stdout.on('error', (error: Error) => {
    if (!isBrokenPipe(error)) throw error;
    process.exit(NO_READER);
  });
  stderr.on('error', (error: Error) => {
    if (!isBrokenPipe(error)) throw error;
  });
}

function isBrokenPipe(error: Error): boolean {
  return 'code' in error && error.code === 'EPIPE';
}

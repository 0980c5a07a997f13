import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';

/** A watchdog: what a loaded machine makes slow does not fail. */
const PATIENCE_MS = 300_000;

/** A program that a test started: what it printed, and how it ended. */
export interface Program {
  readonly pid: number;
  /** Everything on stdout and stderr so far. */
  readonly output: () => string;
  /** Resolves to the match once the output holds it; rejects when the program ends before. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  kill(signal: NodeJS.Signals): void;
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Starts `file` with exactly the given environment and PATH. File descriptor 3 is a pipe, read as output too. */
export function startProgram(file: string, args: readonly string[], options: ProgramOptions = {}): Program {
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', ...options.env },
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
  const orphaned = (): void => void child.kill('SIGKILL');
  process.once('exit', orphaned);
  child.once('exit', () => process.off('exit', orphaned));
  let text = '';
  const waiting = new Set<() => void>();
  for (const stream of child.stdio.slice(1) as Readable[]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      for (const look of waiting) look();
    });
  }
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  const printed: Program['printed'] = (pattern) =>
    new Promise((resolve, reject) => {
      const give = (settle: () => void): void => {
        waiting.delete(look);
        clearTimeout(timer);
        settle();
      };
      const look = (): void => {
        const match = pattern.exec(text);
        if (match !== null)
          give(() => {
            resolve(match);
          });
      };
      const fail = (why: string): void => {
        give(() => {
          reject(new Error(`${why} ${pattern.source}:\n${text}`));
        });
      };
      const timer = setTimeout(() => {
        fail('not printed in time:');
      }, PATIENCE_MS);
      waiting.add(look);
      look();
      void ended.then(() => {
        fail('ended before it printed');
      });
    });
  return {
    pid: child.pid ?? -1,
    output: () => text,
    printed,
    ended,
    kill: (signal) => void child.kill(signal),
  };
}

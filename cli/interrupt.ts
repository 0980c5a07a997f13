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

import { watchTerminals } from '../functions/node/terminal.ts';

/**
 * Does something when this process ends in whatever way but SIGKILL, unless it is taken back before. It must do its
 * work at once: nothing is waited for then.
 */
export function atExit(undo: () => void): () => void {
  process.once('exit', undo);
  return () => {
    process.off('exit', undo);
  };
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** npm passes a Ctrl-C on that the terminal has sent to both: the same one comes twice. */
const SAME_MS = 500;

export interface Ending {
  /** Resolves at the first signal. */
  readonly asked: Promise<void>;
  /** The exit code that stands for the signal; undefined before one came. */
  code(): number | undefined;
}

/** From here on a first signal only asks the process to end by itself; a second one ends it at once. */
export function endingBySignal(): Ending {
  watchTerminals();
  let first: { readonly code: number; readonly at: number } | undefined;
  const asked = new Promise<void>((resolve) => {
    for (const [signal, code] of Object.entries(SIGNALS)) {
      process.on(signal, () => {
        if (first !== undefined && performance.now() - first.at > SAME_MS) process.exit(code);
        first ??= { code, at: performance.now() };
        resolve();
      });
    }
  });
  return { asked, code: () => first?.code };
}

import { closeSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';

/** Whether a terminal that the process was started on is gone. */
export type TerminalGone = () => boolean;

/**
 * Lets the process end although its terminal is gone. Node restores the modes of the terminals it was started on as it ends, and
 * aborts when one answers EIO; it leaves alone what was opened anew.
 */
export function watchTerminals(): TerminalGone {
  const terminals = [0, 1, 2].filter((fd) => isatty(fd));
  const gone = (): readonly number[] => terminals.filter((fd) => !isatty(fd));
  process.once('exit', () => {
    for (const fd of gone()) {
      closeSync(fd);
      // Gets the free number.
      openSync('/dev/null', 'r+');
    }
  });
  return () => gone().length > 0;
}

import { isatty } from 'node:tty';

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

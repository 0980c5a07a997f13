const CLEAR_LINE = '\r\u001b[2K';

export interface Progress {
  /** One part more is up. */
  up(part: string): void;
  /** It will end as soon as it is up. */
  stopping(): void;
  /** Leaves no trace on a terminal. */
  end(): void;
}

export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** One line while the demo starts: redrawn on a terminal, printed once and without control characters elsewhere. */
export function startProgress(stream: ProgressStream, total: number, term: string | undefined): Progress {
  const live = stream.isTTY === true && term !== 'dumb';
  let label = 'Starting the demo';
  let ended = false;
  const draw = (text: string): void => {
    stream.write(`${CLEAR_LINE}${text.slice(0, (stream.columns || 80) - 1)}`);
  };
  let done = 0;
  if (live) draw(`${label} …`);
  else stream.write(`${label} …\n`);
  return {
    up(part) {
      done += 1;
      if (live) draw(`${label} … ${done} of ${total}: ${part} is up`);
    },
    stopping() {
      label = 'Stopping, as soon as it is up';
      if (ended) return;
      if (live) draw(`${label} …`);
      else stream.write(`${label} …\n`);
    },
    end() {
      ended = true;
      if (live) stream.write(CLEAR_LINE);
    },
  };
}

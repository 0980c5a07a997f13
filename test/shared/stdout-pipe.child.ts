import { stdoutLines } from '../../shared/adapters/node/stdout.ts';

/** Writes lines to stdout at some 3 MB/s, and to stderr how many were dropped. */
const BURSTS = 200;
const LINES = 100;
const EVERY_MS = 10;

let dropped = 0;
const lines = stdoutLines({ onDrop: () => (dropped += 1), lost: (count) => `lost ${count}` });
let burst = 0;
const writing = setInterval(() => {
  for (let n = 0; n < LINES; n++) lines.write(`${burst * LINES + n} ${'x'.repeat(300)}`);
  burst += 1;
  if (burst < BURSTS) return;
  clearInterval(writing);
  process.stderr.write(String(dropped));
}, EVERY_MS);

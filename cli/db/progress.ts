import { isatty } from 'node:tty';
import { colors, note } from '../terminal.ts';
import type { MigrateOptions } from './migrate.ts';

type Progress = Required<Pick<MigrateOptions, 'onStart' | 'onDone' | 'onLockBusy'>>;

const CLEAR_LINE = '\r\u001b[2K';

/** To stderr: a line for each migration that ran; on a terminal also the one that is running. */
export function migrationProgress(live = isatty(process.stderr.fd)): Progress {
  const transient = (text: string): void => {
    if (live) process.stderr.write(`${CLEAR_LINE}${text}`);
  };
  return {
    onStart: ({ name }, index, total) => {
      transient(`${bar(index, total)} ${index + 1}/${total} ${name} …`);
    },
    onDone: ({ name }, executionMs) => {
      transient('');
      note(`${colors.green('✓')} ${name} ${colors.dim(`${Math.round(executionMs)} ms`)}`);
    },
    onLockBusy: ({ name }, attempt) => {
      transient(`  ${name}: busy tables, attempt ${attempt} gave way to them; trying again …`);
    },
  };
}

function bar(done: number, total: number): string {
  const width = 20;
  const filled = Math.floor((done / total) * width);
  return `[${'#'.repeat(filled)}${'.'.repeat(width - filled)}]`;
}

import type { Config } from '../config.ts';
import type { Log, LogFields } from '../ports.ts';

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** JSON lines, one per call, handed to `write` without their line feed. */
export function jsonLog(lowest: Config['logLevel'], write: (line: string) => void): Log {
  const writer = (level: (typeof LEVELS)[number]) => {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(lowest)) return () => undefined;
    return (msg: string, fields?: LogFields) => {
      write(JSON.stringify({ time: Date.now(), level, msg, ...fields }));
    };
  };
  return { debug: writer('debug'), info: writer('info'), warn: writer('warn'), error: writer('error') };
}

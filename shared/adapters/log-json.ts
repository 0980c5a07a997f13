import type { ServerConfig } from '../configuration/server.ts';
import type { LogFields, RequestLines } from '../ports/log.ts';

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** Logs JSON lines, one per call, passed to `write` without a line feed. */
export function jsonLog(lowest: ServerConfig['logLevel'], write: (line: string) => void): RequestLines {
  const takes = (level: (typeof LEVELS)[number]) => LEVELS.indexOf(level) >= LEVELS.indexOf(lowest);
  const writer = (level: (typeof LEVELS)[number]) => {
    if (!takes(level)) return () => undefined;
    return (msg: string, fields: LogFields = {}) => {
      write(logLine(level, msg, fields));
    };
  };
  return {
    debug: writer('debug'),
    info: writer('info'),
    warn: writer('warn'),
    error: writer('error'),
    lines: takes('info') ? { begin: () => `{"time":${Date.now()},"level":"info"`, write } : undefined,
  };
}

export function logLine(level: (typeof LEVELS)[number], msg: string, fields: LogFields): string {
  const rest = JSON.stringify(fields).slice(1);
  // Concatenated: copying a request's fields behind these three would cost more than writing them.
  const head = `{"time":${Date.now()},"level":"${level}","msg":${JSON.stringify(msg)}`;
  return rest === '}' ? `${head}}` : `${head},${rest}`;
}

/** UTF-16 units of a shortened line: at most 3 bytes each, or a quote and its backslash, together under 4 KiB. */
const SHORTENED_UNITS = 1_200;

/** The beginning of a line, as a line of its own. */
export function shortened(line: string): string {
  return logLine('warn', 'log line shortened', { length: line.length, line: line.slice(0, SHORTENED_UNITS) });
}

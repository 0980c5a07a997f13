import { destination, pino } from 'pino';
import type { Config } from '../config.ts';
import type { Log } from '../ports.ts';

const FLUSH_MS = 200;
const BUFFER_BYTES = 16_384;

/** JSON lines on stdout, written in batches: one system call serves many requests. */
export function pinoLog(level: Config['logLevel']): Log & { flush(): void } {
  const out = destination({ dest: 1, sync: false, minLength: BUFFER_BYTES });
  const logger = pino({ level, base: null, formatters: { level: (label) => ({ level: label }) } }, out);
  setInterval(() => {
    out.flush();
  }, FLUSH_MS).unref();
  return {
    debug(message, fields = {}) {
      logger.debug(fields, message);
    },
    info(message, fields = {}) {
      logger.info(fields, message);
    },
    warn(message, fields = {}) {
      logger.warn(fields, message);
    },
    error(message, fields = {}) {
      logger.error(fields, message);
    },
    flush() {
      try {
        out.flushSync();
      } catch {
        // Nothing was opened yet, so nothing is lost; a closed stdout leaves nowhere to say it.
      }
    },
  };
}

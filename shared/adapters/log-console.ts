import type { Config } from '../config.ts';
import type { Log, LogFields } from '../ports.ts';

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** JSON lines by console.log: what Workers Logs and `wrangler tail` collect. */
export function consoleLog(level: Config['logLevel']): Log & { flush(): void } {
  const lowest = LEVELS.indexOf(level);
  const writer = (own: (typeof LEVELS)[number]) => {
    if (LEVELS.indexOf(own) < lowest) return () => undefined;
    return (msg: string, fields?: LogFields) => {
      console.log(JSON.stringify({ level: own, time: Date.now(), ...fields, msg }));
    };
  };
  return {
    debug: writer('debug'),
    info: writer('info'),
    warn: writer('warn'),
    error: writer('error'),
    flush: () => undefined,
  };
}

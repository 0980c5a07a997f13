import { parseArgs } from 'node:util';
import type { DoorProvider } from '../doors.ts';
import { messageOf } from '../../shared/errors.ts';

export interface RunOptions {
  /** 0 = any free one. */
  readonly port: number;
  /** Where people of the legacy application go. */
  readonly provider: DoorProvider;
  /** Start, check every step, stop. */
  readonly once: boolean;
}

/** Is thrown for arguments that cannot be meant. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const DEFAULT_PORT = 3000;

/** Undefined = the person asked for help. */
export function readOptions(args: readonly string[]): RunOptions | undefined {
  const { values } = parse(args);
  if (values.help === true) return undefined;
  const { once = false, provider = 'kanidm' } = values;
  if (provider !== 'kanidm' && provider !== 'zitadel')
    throw new UsageError(`--provider ${provider} is none: write kanidm or zitadel`);
  // A self-check must not fail because somebody keeps the demo open beside it.
  if (values.port === undefined) return { once, provider, port: once ? 0 : DEFAULT_PORT };
  const port = Number(values.port);
  if (!/^\d+$/.test(values.port) || port > 65_535) {
    throw new UsageError(`--port ${values.port} is not a port: write a number from 0 to 65535`);
  }
  return { once, provider, port };
}

export function usage(command: string): string {
  return [
    `Usage: ${command} [-- --port N] [--provider NAME] [--once]`,
    '',
    `  --port N   where the gateway listens (default ${DEFAULT_PORT}; 0 = any free port)`,
    '  --provider NAME',
    '             where people of the legacy application go: kanidm (default) or zitadel',
    '  --once     start, check every step of the tour, stop; exit code 0 or 1',
    '  --help     this text',
  ].join('\n');
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        port: { type: 'string' },
        provider: { type: 'string' },
        once: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

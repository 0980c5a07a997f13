import type { RulesSource } from '../../shared/config.ts';
import type { Platform } from '../../shared/platform.ts';
import type { Log } from '../../shared/ports.ts';
import { systemFault } from '../../shared/system-errors.ts';
import { compileRules } from './rules/compile.ts';
import type { Known } from './rules/rule.ts';
import type { CompiledRules, Finding } from './rules/types.ts';

export interface RulesState {
  readonly rules: number;
  /** Set while the file holds something that was refused; the rules before it go on serving. */
  readonly refused?: string;
}

export interface RulesStore {
  current(): CompiledRules;
  state(): RulesState;
  close(): void;
}

export interface RulesStoreDeps {
  readonly platform: Pick<Platform, 'readText' | 'watchText' | 'runtime'>;
  readonly log: Log;
}

/** The rules cannot be used; each finding has its place in the text. */
export class UnusableRules extends Error {
  override readonly name = 'UnusableRules';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`access rules: ${faults.join('; ')}`);
    this.faults = faults;
  }
}

/**
 * The rules now in force. Throws UnusableRules when there are none to start with; later, a changed file is taken up
 * whole or refused whole, and then the old rules stay.
 */
export function openRules(
  source: RulesSource,
  targets: ReadonlySet<string>,
  deps: RulesStoreDeps,
): RulesStore {
  const { platform, log } = deps;
  /** As last read; undefined when it could not be. */
  let text: string | undefined = read(source, platform);
  const known: Known = { targets, runtime: platform.runtime };
  let rules = compile(text, known, log);
  let refused: string | undefined;

  const reload = (): void => {
    try {
      const before = text;
      text = undefined;
      const next = (text = read(source, platform));
      if (next === before) return;
      rules = compile(next, known, log);
      refused = undefined;
      log.info('access rules changed', { rules: rules.rules.length });
    } catch (error) {
      if (!(error instanceof UnusableRules)) throw error;
      refused = error.faults[0] ?? error.message;
      log.error('access rules refused, the old ones stay', { faults: error.faults });
    }
  };
  const stop = source.kind === 'file' ? platform.watchText(source.path, reload) : () => undefined;

  return {
    current: () => rules,
    state: () => ({ rules: rules.rules.length, ...(refused !== undefined && { refused }) }),
    close: stop,
  };
}

function read(source: RulesSource, platform: Pick<Platform, 'readText'>): string {
  if (source.kind === 'inline') return source.json;
  try {
    return platform.readText(source.path);
  } catch (error) {
    const reason = systemFault(error) ?? (error instanceof Error ? error.message : 'unreadable');
    throw new UnusableRules([`${source.path} cannot be read: ${reason}`]);
  }
}

function compile(text: string, known: Known, log: Log): CompiledRules {
  const compilation = compileRules(text, known);
  if (!compilation.ok) throw new UnusableRules(compilation.findings.map(place));
  for (const warning of compilation.warnings) log.warn('access rules', { finding: place(warning) });
  return compilation.rules;
}

/** `line:column message`, as faults of a text are listed. */
export function place({ line, column, message }: Pick<Finding, 'line' | 'column' | 'message'>): string {
  return `${line}:${column} ${message}`;
}

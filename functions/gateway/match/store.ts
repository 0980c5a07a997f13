import { UnusableModel } from '../../../shared/ports/authorization-models.ts';
import type { Config, RulesSource } from '../../../shared/configuration/config.ts';
import type { Platform } from '../../../shared/ports/platform.ts';
import type { Log } from '../../../shared/ports/log.ts';
import { whyUnreadable } from '../../../shared/system-errors.ts';
import { compileRules } from './rules/compile.ts';
import { holdBy, readModel } from './rules/model.ts';
import type { Known } from './rules/rule.ts';
import type { CompiledRules, Finding } from './types.ts';

export interface RulesState {
  readonly rules: number;
  /** Why the current file is refused; the previous rules stay in force. */
  readonly refused?: string;
}

export interface RulesStore {
  current(): CompiledRules;
  state(): RulesState;
  close(): void;
}

export interface RulesStoreDeps {
  readonly platform: Pick<Platform, 'readText' | 'watchText' | 'parseModel' | 'runtime'>;
  readonly log: Log;
}

/** The rules cannot be used; each fault has its position in the text. */
export class UnusableRules extends Error {
  override readonly name = 'UnusableRules';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`access rules: ${faults.join('; ')}`);
    this.faults = faults;
  }
}

/**
 * The rules in force. Throws UnusableRules or UnusableModel at start; later, a changed file, of rules or of the model they
 * are checked against, is adopted whole or refused whole, and then the old rules stay.
 */
export function openRules(
  { current: source, model }: Pick<Config['rules'], 'current' | 'model'>,
  known: Pick<Known, 'targets' | 'own'>,
  deps: RulesStoreDeps,
): RulesStore {
  const { platform, log } = deps;
  const readBoth = () => ({ text: read(source, platform), model: readModel(model, platform) });
  const compileBoth = (texts: ReturnType<typeof readBoth>): CompiledRules => {
    const held = holdBy(texts.model, platform);
    return compile(texts.text, { ...known, runtime: platform.runtime, ...(held && { model: held }) }, log);
  };
  let texts = readBoth();
  /** Whether the last attempt to read them again failed. */
  let unread = false;
  let rules = compileBoth(texts);
  let refused: string | undefined;

  const reload = (): void => {
    try {
      const before = texts;
      const again = unread;
      unread = true;
      texts = readBoth();
      unread = false;
      if (!again && texts.text === before.text && texts.model?.text === before.model?.text) return;
      rules = compileBoth(texts);
      refused = undefined;
      log.info('access rules changed', { rules: rules.rules.length });
    } catch (error) {
      const faults = faultsOf(error);
      refused = faults[0] ?? 'unusable';
      log.error('access rules refused, the old ones stay', { faults });
    }
  };
  const files = [source.kind === 'file' ? source.path : [], platform.parseModel && model ? model.path : []];
  const stops = files.flat().map((path) => platform.watchText(path, reload));

  return {
    current: () => rules,
    state: () => ({ rules: rules.rules.length, ...(refused !== undefined && { refused }) }),
    close: () => {
      for (const stop of stops) stop();
    },
  };
}

/** Faults of the texts; any other error is rethrown. */
function faultsOf(error: unknown): readonly string[] {
  if (error instanceof UnusableRules) return error.faults;
  if (error instanceof UnusableModel) return [`OPENFGA_MODEL ${error.message}`];
  throw error;
}

function read(source: RulesSource, platform: Pick<Platform, 'readText'>): string {
  if (source.kind === 'inline') return source.json;
  try {
    return platform.readText(source.path);
  } catch (error) {
    throw new UnusableRules([`${source.path} cannot be read: ${whyUnreadable(error)}`]);
  }
}

function compile(text: string, known: Known, log: Log): CompiledRules {
  const compilation = compileRules(text, known);
  if (!compilation.ok) throw new UnusableRules(compilation.findings.map(place));
  for (const finding of compilation.warnings)
    if (finding.severity === 'warning') log.warn('access rules', { finding: place(finding) });
  return compilation.rules;
}

/** `line:column message`, as faults of a text are listed. */
export function place({ line, column, message }: Pick<Finding, 'line' | 'column' | 'message'>): string {
  return `${line}:${column} ${message}`;
}

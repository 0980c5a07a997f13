import { UnusableModel } from '../../../shared/ports/authorization-models.ts';
import type { Fault, Files } from '../../../shared/configuration/slice.ts';
import { faultsIn, type TextSource } from '../../../shared/configuration/values.ts';
import { place } from '../../../shared/json.ts';
import type { Platform } from '../../../shared/ports/platform.ts';
import type { Log } from '../../../shared/ports/log.ts';
import { whyUnreadable } from '../../../shared/system-errors.ts';
import { compileRules } from './rules/compile.ts';
import { holdBy, readModel, type HeldModel, type ModelFile } from './rules/model.ts';
import type { RuleContext } from './rules/rule.ts';
import type { CompiledRules } from './types.ts';

/** The texts that rules are made of. */
export interface RulesTexts {
  readonly current: TextSource;
  /** What they are held against; null: nothing. */
  readonly model: ModelFile | null;
}

export interface RulesState {
  readonly rules: number;
  /** Why the current file is refused; the previous rules stay in force. */
  readonly refused?: string;
}

export interface RulesStore {
  readonly current: () => CompiledRules;
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
  { current: source, model }: RulesTexts,
  context: Pick<RuleContext, 'targets' | 'own'>,
  deps: RulesStoreDeps,
): RulesStore {
  const { platform, log } = deps;
  const readBoth = () => ({ text: read(source, platform), model: readModel(model, platform) });
  const compileBoth = (texts: ReturnType<typeof readBoth>): CompiledRules => {
    const held = holdBy(texts.model, platform);
    return compile(texts.text, { ...context, runtime: platform.runtime, ...(held && { model: held }) }, log);
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

function read(source: TextSource, platform: Pick<Platform, 'readText'>): string {
  if (source.kind === 'inline') return source.json;
  try {
    return platform.readText(source.path);
  } catch (error) {
    throw new UnusableRules([`${source.path} cannot be read: ${whyUnreadable(error)}`]);
  }
}

function compile(text: string, context: RuleContext, log: Log): CompiledRules {
  const compilation = compileRules(text, context);
  if (!compilation.ok) throw new UnusableRules(compilation.findings.map(place));
  for (const finding of compilation.warnings)
    if (finding.severity === 'warning') log.warn('access rules', { finding: place(finding) });
  return compilation.rules;
}

/** What is wrong with both texts, by the variables that hold or name them. */
export function faultsOfTexts(
  { current, model: file }: RulesTexts,
  targets: ReadonlySet<string>,
  files: Files,
): readonly Fault[] {
  const { model, modelFaults } = heldModel(file, files);
  const check = (text: string): string[] => {
    const compilation = compileRules(text, { targets, ...(model && { model }) });
    const findings = compilation.ok ? [] : compilation.findings;
    return findings.filter(({ severity }) => severity === 'error').map(place);
  };
  return [...modelFaults, ...faultsIn('ACCESS_RULES', current, files, check)];
}

function heldModel(
  file: ModelFile | null,
  files: Files,
): { readonly model?: HeldModel | undefined; readonly modelFaults: readonly Fault[] } {
  try {
    return { model: holdBy(readModel(file, files), files), modelFaults: [] };
  } catch (error) {
    if (!(error instanceof UnusableModel)) throw error;
    return { modelFaults: [{ variable: 'OPENFGA_MODEL', problem: error.message }] };
  }
}

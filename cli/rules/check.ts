import { functionsOn } from '../../functions/catalogue.ts';
import { ownPaths } from '../../shared/edge/function.ts';
import {
  compileRules,
  targetsNamedIn,
  type Compilation,
} from '../../functions/gateway/match/rules/compile.ts';
import type { Finding } from '../../functions/gateway/match/types.ts';
import { colors, environment, note, print, printJson } from '../terminal.ts';
import { configuredModel, knownTargets, readRules, storedModel } from './source.ts';

export interface CheckOptions {
  readonly strict?: boolean;
  /** Check types and relations against the model that OpenFGA uses, instead of OPENFGA_MODEL's. */
  readonly store?: boolean;
  /** Take every target as configured. */
  readonly anyTarget?: boolean;
  readonly json?: boolean;
}

/** Prints every finding of a rules file. Returns false when the gateway would refuse it, or `strict` does. */
export async function check(file: string | undefined, options: CheckOptions): Promise<boolean> {
  const { name, text } = await readRules(file, environment);
  const anyTarget = { targets: targetsNamedIn(text), assumed: false };
  const { targets, assumed } = options.anyTarget === true ? anyTarget : knownTargets(environment);
  const model = options.store === true ? await storedModel() : configuredModel(environment);
  const compilation = compileRules(text, {
    targets,
    own: ownPaths(functionsOn(environment)),
    ...(model && { model }),
  });
  const findings = findingsOf(compilation);
  const warnings = findings.filter((finding) => finding.severity === 'warning').length;
  const errors = findings.filter((finding) => finding.severity === 'error').length;
  const passed = errors === 0 && (warnings === 0 || options.strict !== true);
  const rules = compilation.ok ? compilation.rules.rules.length : undefined;
  if (options.json === true) {
    const held = { model: model?.name ?? null, targets: [...targets], assumed };
    printJson({ file: name, ok: passed, rules, errors, warnings, ...held, findings });
    return passed;
  }
  if (assumed) note(`info: no variable names targets; taking ${[...targets].join(', ')} as configured`);
  for (const finding of findings) print(line(name, finding));
  const verdict = passed ? colors.green('ok') : colors.red('refused');
  const counted = rules === undefined ? [] : [count(rules, 'rule')];
  const against = model === undefined ? 'no model' : model.name;
  print(
    `${name}: ${verdict}, ${[...counted, count(errors, 'error'), count(warnings, 'warning')].join(', ')}; held against ${against}`,
  );
  return passed;
}

export function findingsOf(compilation: Compilation): readonly Finding[] {
  return compilation.ok ? compilation.warnings : compilation.findings;
}

/** `file:line:column`, which editors and terminals turn into links. */
export function line(name: string, { severity, code, message, line, column }: Finding): string {
  const paint = { error: colors.red, warning: colors.yellow, note: colors.cyan }[severity];
  return `${name}:${line}:${column}: ${paint(severity)}: ${message} ${colors.dim(`[${code}]`)}`;
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}

import { compileRules, type Compilation } from '../../functions/gateway/rules/compile.ts';
import type { Finding } from '../../functions/gateway/rules/types.ts';
import { colors, environment, note, print, printJson } from '../terminal.ts';
import { knownTargets, readRules } from './source.ts';

export interface CheckOptions {
  readonly strict?: boolean;
  readonly json?: boolean;
}

/** Prints every finding of a rules file. False when the gateway would refuse it, or `strict` does. */
export async function check(file: string | undefined, options: CheckOptions): Promise<boolean> {
  const { name, text } = await readRules(file, environment);
  const { targets, assumed } = knownTargets(environment);
  const compilation = compileRules(text, { targets });
  const findings = findingsOf(compilation);
  const warnings = findings.filter((finding) => finding.severity === 'warning').length;
  const errors = findings.length - warnings;
  const passed = errors === 0 && (warnings === 0 || options.strict !== true);
  const rules = compilation.ok ? compilation.rules.rules.length : undefined;
  if (options.json === true) {
    printJson({ file: name, ok: passed, rules, errors, warnings, targets: [...targets], assumed, findings });
    return passed;
  }
  if (assumed) note(`info: no variable names targets; taking ${[...targets].join(', ')} as configured`);
  for (const finding of findings) print(line(name, finding));
  const verdict = passed ? colors.green('ok') : colors.red('refused');
  const counted = rules === undefined ? [] : [count(rules, 'rule')];
  print(
    `${name}: ${verdict}, ${[...counted, count(errors, 'error'), count(warnings, 'warning')].join(', ')}`,
  );
  return passed;
}

export function findingsOf(compilation: Compilation): readonly Finding[] {
  return compilation.ok ? compilation.warnings : compilation.findings;
}

/** `file:line:column`, as editors and terminals make links of it. */
export function line(name: string, { severity, code, message, line, column }: Finding): string {
  const paint = severity === 'error' ? colors.red : colors.yellow;
  return `${name}:${line}:${column}: ${paint(severity)}: ${message} ${colors.dim(`[${code}]`)}`;
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}

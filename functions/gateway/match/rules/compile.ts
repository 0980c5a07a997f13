import { adviseOnExposure } from './exposure.ts';
import { checkRules } from './findings.ts';
import { parseRules } from './parse.ts';
import { toRule, type Known } from './rule.ts';
import { RuleTrie } from '../trie.ts';
import type { CompiledRules, Finding } from '../types.ts';

/** The targets that the entries name: for who cannot see what is configured where the rules serve. */
export function targetsNamedIn(source: string): ReadonlySet<string> {
  const parsed = parseRules(source);
  const entries = parsed.ok ? parsed.entries : [];
  return new Set(entries.map(({ definition }) => definition.target ?? 'upstream'));
}

export type Compilation =
  | { readonly ok: true; readonly rules: CompiledRules; readonly warnings: readonly Finding[] }
  | { readonly ok: false; readonly findings: readonly Finding[] };

/**
 * A rules file, from its text to a matcher. All faults are found before any is told; `findings` and `warnings` hold notes too.
 */
export function compileRules(source: string, known: Known): Compilation {
  const parsed = parseRules(source);
  if (!parsed.ok) return parsed;
  const { entries, report } = parsed;
  const rules = entries.flatMap((entry) => toRule(entry, known, report) ?? []);
  const trie = new RuleTrie(rules);
  checkRules(trie, known, report);
  for (const rule of rules) adviseOnExposure(rule, report);
  const { findings } = report;
  return report.failed ? { ok: false, findings } : { ok: true, rules: trie, warnings: findings };
}

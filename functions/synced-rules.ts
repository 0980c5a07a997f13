import type { Requirement, FeatureRule } from './feature-sync/changes.ts';
import { compileRules, targetsNamedIn } from './gateway/match/rules/compile.ts';
import { shapeOf } from './gateway/match/pattern.ts';
import { isForAnyToken, type Rule } from './gateway/match/types.ts';

export type ReadFeatureRules =
  | { readonly ok: true; readonly rules: readonly FeatureRule[] }
  | { readonly ok: false; readonly faults: readonly string[] };

/** A rules file as feature sync sees it. Targets may be any: those of the previous rules need not be configured any more. */
export function readFeatureRules(source: string): ReadFeatureRules {
  const compilation = compileRules(source, { targets: targetsNamedIn(source) });
  if (!compilation.ok) {
    const faults = compilation.findings.filter(({ severity }) => severity === 'error');
    return { ok: false, faults: faults.map(({ line, column, message }) => `${line}:${column} ${message}`) };
  }
  const rules = compilation.rules.rules.map((rule): FeatureRule => ({
    shape: shapeOf(rule.segments),
    path: rule.path,
    methods: rule.methods,
    requirement: requirementOf(rule),
  }));
  return { ok: true, rules };
}

function requirementOf(rule: Rule): Requirement {
  const { access } = rule;
  if (access.kind === 'public' || isForAnyToken(rule)) return { kind: 'open' };
  if (access.kind !== 'relation') return { kind: 'other' };
  const { object, relation } = access;
  if (typeof object !== 'string' || !object.startsWith('feature:')) return { kind: 'other' };
  return { kind: 'feature', object, relation };
}

import { expect } from 'vitest';
import { functionsOn } from '../../../functions/catalogue.ts';
import { ownPaths } from '../../../shared/edge/function.ts';
import { compileRules, type Compilation } from '../../../functions/gateway/match/rules/compile.ts';
import type { CompiledRules, Finding } from '../../../functions/gateway/match/types.ts';

const OWN_PATHS = ownPaths(functionsOn({}));

export const TARGETS: ReadonlySet<string> = new Set(['upstream', 'zitadel', 'openfga']);

export function compile(rules: readonly unknown[] | string): Compilation {
  return compileRules(typeof rules === 'string' ? rules : JSON.stringify(rules), {
    targets: TARGETS,
    own: OWN_PATHS,
  });
}

/** Rules that must compile. */
export function compiled(rules: readonly unknown[]): CompiledRules {
  const compilation = compile(rules);
  expect(compilation.ok ? [] : compilation.findings).toEqual([]);
  if (!compilation.ok) throw new Error('unreachable');
  return compilation.rules;
}

/** Public rules written `METHOD /path`. */
export function open(...lines: readonly string[]): CompiledRules {
  return compiled(
    lines.map((line) => {
      const [method, path] = line.split(' ');
      return { method, path, feature: 'public_access' };
    }),
  );
}

export function findingsOf(rules: readonly unknown[] | string): readonly Finding[] {
  const compilation = compile(rules);
  return compilation.ok ? compilation.warnings : compilation.findings;
}

/** `code pointer` of every finding, in order. */
export function summary(rules: readonly unknown[] | string): string[] {
  return findingsOf(rules).map(({ code, pointer }) => `${code} ${pointer}`);
}

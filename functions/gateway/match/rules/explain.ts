import type { OwnPaths } from '../../../../shared/edge/function.ts';
import { Refusal } from '../../../../shared/errors.ts';
import { judgePath, type JudgedPath } from '../../read/path.ts';
import { objectOf } from './object.ts';
import { fits } from '../pattern.ts';
import type { CompiledRules, Match, PathSegment, Rule } from '../types.ts';

/** A rule whose path matches the request, and why another one decides. */
export interface Lost {
  readonly rule: Rule;
  readonly why: string;
}

export type Explanation =
  | { readonly kind: 'refused'; readonly code: 'invalid_path' | 'not_found'; readonly reason: string }
  | { readonly kind: 'own_route' }
  | { readonly kind: 'unmatched'; readonly lost: readonly Lost[]; readonly hint: string | undefined }
  | {
      readonly kind: 'matched';
      readonly match: Match;
      readonly lost: readonly Lost[];
      /** Object of the OpenFGA check; absent when there is none. */
      readonly object: string | undefined;
      /** Why the request is refused although the rule matches. */
      readonly refusal: string | undefined;
    };

/** Explains the decision up to authentication. `path`: a raw request target. */
export function explain(rules: CompiledRules, own: OwnPaths, method: string, path: string): Explanation {
  const judged = judge(path);
  if (typeof judged === 'string') return { kind: 'refused', code: 'invalid_path', reason: judged };
  const { segments } = judged;
  if (own.has(path)) return { kind: 'own_route' };
  // As onward.ts refuses it, whatever rule matches.
  if (own.hasSegments(segments))
    return { kind: 'refused', code: 'not_found', reason: 'own route in another form' };
  const candidates = rules.rules.filter((rule) => fits(rule.segments, segments));
  const match = rules.match(method, segments);
  const lost = candidates
    .filter((rule) => rule !== match?.rule)
    .map((rule) => ({ rule, why: whyLost(rule, method, match?.rule) }));
  if (match === undefined) return { kind: 'unmatched', lost, hint: slashHint(rules, method, segments) };
  return { kind: 'matched', match, lost, ...named(match) };
}

function judge(path: string): JudgedPath | string {
  try {
    return judgePath(path);
  } catch (error) {
    if (error instanceof Refusal) return error.reason;
    throw error;
  }
}

function named({ rule, params }: Match): { object: string | undefined; refusal: string | undefined } {
  if (rule.access.kind !== 'relation') return { object: undefined, refusal: undefined };
  try {
    return { object: objectOf(rule.access, params), refusal: undefined };
  } catch (error) {
    if (error instanceof Refusal) return { object: undefined, refusal: error.reason };
    throw error;
  }
}

function whyLost(rule: Rule, method: string, winner: Rule | undefined): string {
  if (winner === undefined || (rule.methods !== '*' && !rule.methods.includes(method))) {
    return `is not for ${method}`;
  }
  for (const [at, segment] of rule.segments.entries()) {
    const better = winner.segments[at];
    if (better === undefined || better.kind === segment.kind) continue;
    return `segment ${at + 1}: ${write(better)} is more specific than ${write(segment)}`;
  }
  return `* loses to the named method ${method}`;
}

function write(segment: PathSegment): string {
  if (segment.kind === 'literal') return `"${segment.value}"`;
  return segment.kind === 'param' ? `:${segment.name}` : `*${segment.name}`;
}

/** A trailing slash counts, and is easily overlooked. */
function slashHint(rules: CompiledRules, method: string, segments: readonly string[]): string | undefined {
  const slashed = segments.at(-1) === '';
  const other = rules.match(method, slashed ? segments.slice(0, -1) : [...segments, '']);
  if (other === undefined) return undefined;
  return `${slashed ? 'without' : 'with'} a slash at the end, ${other.rule.path} would match`;
}

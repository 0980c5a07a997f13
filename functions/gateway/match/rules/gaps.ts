import { Refusal } from '../../../../shared/errors.ts';
import { objectOf } from './object.ts';
import { shapeOf } from '../pattern.ts';
import type { Report } from './parse.ts';
import { parseStripPrefix } from '../pattern.ts';
import type { RuleTrie } from '../trie.ts';
import { isForAnyToken, type Match, type PathSegment, type Rule } from '../types.ts';

/** Named by no rule, so served only by rules for any method. */
const ANY_OTHER = 'any other method';
/** Equals no literal: judged paths hold no NUL. */
const ANYTHING = '\0';

/** Reports ways around a protected rule that a wider or weaker rule leaves open. */
export function checkGaps(trie: RuleTrie, report: Report): void {
  const named = trie.rules.flatMap((rule) => (rule.methods === '*' ? [] : rule.methods));
  const methods = [...new Set(named), 'HEAD', ANY_OTHER].filter((name, at, all) => all.indexOf(name) === at);
  const shapes = new Map<string, Rule>();
  for (const rule of trie.rules) {
    const shape = shapeOf(rule.segments);
    if (demand(rule) > demand(shapes.get(shape))) shapes.set(shape, rule);
    checkHead(trie, rule, report);
  }
  for (const rule of shapes.values()) checkMethods(trie, rule, methods, report);
  const guarded = trie.rules.filter((rule) => demand(rule) > 0);
  checkSlashes(trie, guarded, methods, report);
  checkCase(trie, guarded, methods, report);
  checkReachAround(trie, guarded, methods, report);
}

/** What a rule requires, from 0: nothing, any valid token, a relation, claims or a tenant of the caller. */
function demand(rule: Rule | undefined): number {
  if (rule === undefined || rule.access.kind === 'public') return 0;
  if (rule.mode === 'shadow') return 1;
  return isForAnyToken(rule) ? 1 : 2;
}

function who(rule: Rule): string {
  return demand(rule) === 0 ? 'anyone' : 'any holder of a valid token';
}

const call = (rule: Rule): string => `rule /${rule.index} (${rule.path})`;

/** Other methods of a protected path that fall through to a wider, weaker rule. */
function checkMethods(trie: RuleTrie, rule: Rule, methods: readonly string[], report: Report): void {
  const through = new Map<Rule, string[]>();
  for (const method of methods) {
    const winner = trie.match(method, sampleOf(rule.segments))?.rule;
    if (winner === undefined || demand(winner) >= demand(rule)) continue;
    // Rules of one path are both intended for it; a rule that names OPTIONS answers preflights.
    if (shapeOf(winner.segments) === shapeOf(rule.segments)) continue;
    if (method === 'OPTIONS' && winner.methods !== '*') continue;
    through.set(winner, [...(through.get(winner) ?? []), method]);
  }
  for (const [winner, which] of through) {
    const message = `protects ${rule.path}, but ${which.join(', ')} there falls to ${call(winner)}, which lets ${who(winner)} in`;
    report.warning('method_gap', [rule.index, 'method'], message);
  }
}

/** RFC 9110 §9.3.2: most servers answer HEAD by the GET handler, so that `*` beside a protected GET discloses its fields. */
function checkHead(trie: RuleTrie, rule: Rule, report: Report): void {
  if (rule.methods === '*' || !rule.methods.includes('GET')) return;
  const winner = trie.match('HEAD', sampleOf(rule.segments))?.rule;
  if (winner?.methods !== '*' || demand(winner) >= demand(rule)) return;
  if (shapeOf(winner.segments) !== shapeOf(rule.segments)) return;
  const message = `protects GET ${rule.path}, but HEAD there falls to ${call(winner)}, which lets ${who(winner)} in`;
  report.warning('method_gap', [rule.index, 'method'], message);
}

/** Most servers serve a path with and without a trailing slash as one resource. */
function checkSlashes(
  trie: RuleTrie,
  guarded: readonly Rule[],
  methods: readonly string[],
  report: Report,
): void {
  const reported = new Set<string>();
  for (const rule of guarded) {
    const next = neighbour(rule);
    if (next === undefined) continue;
    for (const method of served(rule, methods)) {
      const own = trie.match(method, sampleOf(rule.segments));
      const other = trie.match(method, next.sample);
      if (own?.rule !== rule || other === undefined || requiresAsMuch(other, own)) continue;
      // `/reports` beside `/reports/*rest` is intended for that very path.
      const written = other.rule.segments.at(-1)?.kind !== 'rest';
      if (next.above && written) continue;
      const key = `${shapeOf(rule.segments)} ${other.rule.index}`;
      if (reported.has(key)) break;
      reported.add(key);
      const message = `protects ${rule.path}, but ${next.path}, which most servers read alike, is decided by ${call(other.rule)}`;
      report.warning('slash_gap', [rule.index, 'path'], message);
      break;
    }
  }
}

interface Neighbour {
  readonly path: string;
  readonly sample: readonly string[];
  /** Above a rest rather than beside it. */
  readonly above: boolean;
}

function neighbour({ path, segments }: Rule): Neighbour | undefined {
  const sample = sampleOf(segments);
  const last = segments.at(-1);
  const rest = last?.kind === 'rest';
  if (!rest && !(last?.kind === 'literal' && last.value === ''))
    return { path: `${path}/`, sample: [...sample, ''], above: false };
  if (segments.length < 2) return undefined;
  return { path: path.slice(0, path.lastIndexOf('/')), sample: sample.slice(0, -1), above: rest };
}

/** Whether `other` requires more, or the same. */
function requiresAsMuch(other: Match, own: Match): boolean {
  const difference = demand(other.rule) - demand(own.rule);
  if (difference !== 0) return difference > 0;
  return demand(own.rule) < 2 || requirement(other) === requirement(own);
}

function requirement({ rule, params }: Match): string {
  const { access, claims } = rule;
  const tenant = rule.tenant?.kind === 'param' ? params[rule.tenant.name] : rule.tenant;
  if (access.kind !== 'relation') return JSON.stringify([claims, tenant]);
  const values = Object.entries(params).map(([name, value]): [string, string] => [
    name,
    value.replaceAll(ANYTHING, '-') || '-',
  ]);
  try {
    const object = objectOf(access, Object.fromEntries<string>(values));
    return JSON.stringify([access.relation, object, claims, tenant]);
  } catch (error) {
    if (error instanceof Refusal) return 'nothing';
    throw error;
  }
}

/** Paths are case-sensitive here (RFC 3986 §6.2.2.1), on some servers not. A note: no rule could close it. */
function checkCase(
  trie: RuleTrie,
  guarded: readonly Rule[],
  methods: readonly string[],
  report: Report,
): void {
  const open = new Map<Rule, Rule>();
  for (const rule of guarded) {
    const swapped = sampleOf(rule.segments).map((text) =>
      text === text.toUpperCase() ? text.toLowerCase() : text.toUpperCase(),
    );
    for (const method of served(rule, methods)) {
      const winner = trie.match(method, swapped)?.rule;
      if (winner === undefined || demand(winner) >= demand(rule) || open.has(winner)) continue;
      if (shapeOf(winner.segments) !== shapeOf(rule.segments)) open.set(winner, rule);
    }
  }
  for (const [winner, rule] of open) {
    const message = `decides also on ${call(rule)} written in another case: where the target ignores case, that lets ${who(winner)} around it`;
    report.note('case_gap', [winner.index, 'path'], message);
  }
}

/** Two rules that reach one path of a target, the weaker around the stronger: only strip_prefix makes such pairs. */
function checkReachAround(
  trie: RuleTrie,
  guarded: readonly Rule[],
  methods: readonly string[],
  report: Report,
): void {
  if (trie.rules.every(({ stripPrefix }) => stripPrefix === undefined)) return;
  const ways = new Map(trie.rules.map((rule) => [rule, seen(rule)]));
  for (const weak of trie.rules) {
    const around = guarded.filter((rule) => {
      if (weak.target !== rule.target || demand(weak) >= demand(rule)) return false;
      const [one, other] = [ways.get(weak), ways.get(rule)];
      const strips = weak.stripPrefix !== undefined || rule.stripPrefix !== undefined;
      if (!strips || one === undefined || other === undefined) return false;
      const common = overlap(one.segments, other.segments);
      if (common === undefined) return false;
      // Each decides its own route to that path, for some method.
      return served(weak, methods).some(
        (method) =>
          trie.match(method, one.whole(common))?.rule === weak &&
          trie.match(method, other.whole(common))?.rule === rule,
      );
    });
    const [first] = around;
    if (first === undefined) continue;
    const [index, without] =
      weak.stripPrefix === undefined ? [first.index, first.stripPrefix] : [weak.index, weak.stripPrefix];
    const more = around.length === 1 ? '' : ` and ${around.length - 1} more`;
    const message = `without ${without ?? ''}, ${call(weak)} lets ${who(weak)} reach what ${call(first)}${more} protects at the same target`;
    report.warning('reach_around', [index, 'strip_prefix'], message);
  }
}

interface Seen {
  /** The path as the target receives it. */
  readonly segments: readonly PathSegment[];
  /** Inverse: the request path that the target receives as this one. */
  readonly whole: (path: readonly string[]) => readonly string[];
}

function seen({ segments, stripPrefix }: Rule): Seen {
  const parsed = stripPrefix === undefined ? undefined : parseStripPrefix(stripPrefix, segments);
  if (parsed?.ok !== true) return { segments, whole: (path) => path };
  const prefix = sampleOf(segments.slice(0, parsed.length));
  const left = segments.slice(parsed.length);
  if (left.length > 0) return { segments: left, whole: (path) => [...prefix, ...path] };
  return { segments: [{ kind: 'literal', value: '' }], whole: () => prefix };
}

/** A path that both patterns match; undefined when there is none. */
function overlap(one: readonly PathSegment[], other: readonly PathSegment[]): string[] | undefined {
  const [a, b] = [one[0], other[0]];
  if (a === undefined || b === undefined) return a === b ? [] : undefined;
  if (a.kind === 'rest') return sampleOf(other);
  if (b.kind === 'rest') return sampleOf(one);
  if (a.kind === 'literal' && b.kind === 'literal' && a.value !== b.value) return undefined;
  const [literal] = [a, b].flatMap((each) => (each.kind === 'literal' ? [each.value] : []));
  if (literal === '' && a.kind !== b.kind) return undefined;
  const beyond = overlap(one.slice(1), other.slice(1));
  return beyond && [literal ?? ANYTHING, ...beyond];
}

function served(rule: Rule, methods: readonly string[]): readonly string[] {
  return rule.methods === '*' ? methods : rule.methods;
}

function sampleOf(segments: readonly PathSegment[]): string[] {
  return segments.map((segment) => (segment.kind === 'literal' ? segment.value : ANYTHING));
}
